//! Lets the fuzzer try `translation`; owns nothing, and checks nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fanfare_fuzz::translation(data));
