//! Lets the fuzzer try `client_message`; owns nothing, and checks nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fanfare_fuzz::client_message(data));
