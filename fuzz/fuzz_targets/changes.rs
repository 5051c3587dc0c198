#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| lakefront_fuzz::changes::check(input));
