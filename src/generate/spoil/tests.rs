//! Each fault is rejected for its reason.

use lakefront_operators::format::logs::record::Reason;
use lakefront_operators::format::logs::rows::RowBuilder;
use lakefront_operators::format::logs::settings::{Format, UnknownKeys};

use super::super::{azure::Azure, jsonlog::Jsonlog};
use super::*;
use crate::moment::Second;

fn judged(format: FormatArg, line: &[u8]) -> Result<(), Reason> {
    let format = match format {
        FormatArg::Azure => Format::Azure,
        FormatArg::Jsonlog => Format::Jsonlog,
    };
    RowBuilder::new(format, UnknownKeys::Reject).push(line, 0)
}

#[test]
fn every_fault_is_rejected_for_its_reason() {
    let mut random = Random::new(3);
    let (azure, jsonlog) = (Azure::new(true, &mut random), Jsonlog::new(&mut random));
    for n in 0..20_000 {
        let format = if n % 2 == 0 { FormatArg::Azure } else { FormatArg::Jsonlog };
        let (mut line, second) = (Vec::new(), Second::of_hour(n));
        match format {
            FormatArg::Azure => drop(azure.line(&mut line, &second, 997, &mut random)),
            FormatArg::Jsonlog => jsonlog.line(&mut line, n % 3 == 0, &second, 997, &mut random),
        }
        assert_eq!(judged(format, &line), Ok(()), "{}", String::from_utf8_lossy(&line));
        let fault = Fault::any(format, &mut random);
        let bad = spoiled(std::str::from_utf8(&line).expect("text"), format, fault, &mut random);
        let judged = judged(format, &bad);
        let shown = String::from_utf8_lossy(&bad);
        match fault {
            // The next operator checks roles.
            Fault::NoRole => assert!(judged.is_ok() && !shown.contains("Role"), "{shown}"),
            fault => assert_eq!(judged, Err(fault.reason()), "{fault:?} {shown}"),
        }
    }
}
