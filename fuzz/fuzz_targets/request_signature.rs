//! Lets the fuzzer try `request_signature`; owns nothing, and checks nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fanfare_fuzz::request_signature(data));
