//! Lets the fuzzer try `frame_bytes`; owns nothing, and checks nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fanfare_fuzz::frame_bytes(data));
