//! The page of a pipeline of flushes: the same page, with its own words.

use crate::browser::Browser;
use crate::support::http::free_address;
use crate::world::World;
use crate::{DESK, PHONE, picture};

#[test]
fn the_page_shows_what_waits_and_what_was_flushed() {
    let mut world = World::new(
        "CREATE TABLE ledgers (sequence bigint PRIMARY KEY);
         CREATE TABLE \"<b>odd</b>\" (ledger_sequence bigint, v text);
         INSERT INTO ledgers SELECT generate_series(1, 1200); INSERT INTO \"<b>odd</b>\" VALUES (1, 'a')",
    );
    let address = free_address();
    world.set("http.listen", &format!("{:?}", address.to_string())).set("source.interval", r#""1h""#);
    let tail = world.tail("");
    let mut browser = Browser::start();
    browser.open(&format!("http://{address}/"), DESK);
    browser.until("#pipeline", "stellar");
    browser.until("#position", "1");
    browser.until("#status", "ready");
    browser.until("#mode", "flushes");
    assert!(browser.text("#last-flush").starts_with("1,201 rows in "), "{}", browser.text("#last-flush"));
    assert!(browser.text("#next-flush").starts_with("in "), "{}", browser.text("#next-flush"));
    assert!(browser.text("#reason").starts_with("the next flush begins in "), "{}", browser.text("#reason"));
    assert_eq!(browser.text("#lag"), "0flushes");
    let names = browser.texts("#tables td:first-child");
    assert_eq!(names, ["<b>odd</b>", "ledgers"], "a name is text, and is said once");
    assert_eq!(browser.texts("#tables td:nth-child(2)"), ["1,200", "1,200"], "the watermark");
    assert_eq!(browser.texts("#tables td:nth-child(3)"), ["1", "1,200"], "rows");

    world.psql("INSERT INTO ledgers VALUES (1201), (1202), (1203)");
    browser.until("#read", "3rows");
    assert_eq!(browser.texts("#tables td:nth-child(5)"), ["0", "3"], "what waits");
    for (words, is_said) in [("watermark", true), ("waiting", true), ("commits", false)] {
        assert_eq!(browser.is_visible(&format!("#tables-title ~ div th:text-is('{words}')")), is_said, "{words}");
    }
    assert!(!browser.is_visible("#visible"), "nothing is appended to a file");
    browser.screenshot(&picture("flushes"));
    browser.open(&format!("http://{address}/"), PHONE);
    browser.until("#position", "1");
    assert!(!browser.overflows(), "nobody has to scroll sideways");
    assert_eq!(browser.seen().1, Vec::<String>::new());
    tail.stop();
}
