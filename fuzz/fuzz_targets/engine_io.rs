//! Lets the fuzzer try `engine_io`; owns nothing, and checks nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fanfare_fuzz::engine_io(data));
