//! A headless Chromium, driven over two pipes. npm installs it once, browser included;
//! `LAKEFRONT_CHROMIUM` names another.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{npm, wait};

/// Tells the browser where fonts are.
const FONTS: &str = "fonts.conf";

/// Size and colours of a window.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// `light` or `dark`.
    pub(crate) scheme: &'static str,
}

/// A browser with one page. It ends when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    tell: Option<ChildStdin>,
    hear: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let folder = npm::installed("browser", &sources(), unpack);
        // Next to the packages, because the driver looks for them there.
        std::fs::copy(sources().join("driver.js"), folder.join("driver.js")).expect("the driver is copied");
        let mut command = node(&folder);
        command.arg("driver.js").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut driver =
            command.spawn().unwrap_or_else(|e| panic!("the tests need Node 20 or newer: {command:?}: {e}"));
        let tell = driver.stdin.take();
        let hear = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let mut browser = Browser { driver, tell, hear };
        assert!(browser.hear()["version"].is_string(), "Chromium starts");
        browser
    }

    /// Opens a page in a new window without history.
    pub(crate) fn open(&mut self, url: &str, Window { width, height, scheme }: Window) {
        let answer = self.ask(json!({"do": "open", "url": url, "width": width, "height": height, "scheme": scheme}));
        assert_eq!(answer["status"], 200, "{url}");
        assert!(answer["text_height"].as_f64() > Some(8.0), "the browser has no fonts: {answer}");
    }

    /// The text of each element that matches a selector.
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let texts = self.ask(json!({"do": "texts", "selector": selector}));
        texts.as_array().expect("a list").iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The text of the one element that matches a selector.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let texts = self.texts(selector);
        assert_eq!(texts.len(), 1, "{selector}: {texts:?}");
        texts.concat()
    }

    /// Waits until the element has this text.
    pub(crate) fn until(&mut self, selector: &str, text: &str) {
        let mut is = String::new();
        let holds = wait::until(|| {
            is = self.text(selector);
            is == text
        });
        assert!(holds, "{selector} is {is:?} and not {text:?}");
    }

    pub(crate) fn attribute(&mut self, selector: &str, name: &str) -> String {
        let value = self.ask(json!({"do": "attribute", "selector": selector, "name": name}));
        value.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn count(&mut self, selector: &str) -> u64 {
        self.ask(json!({"do": "count", "selector": selector})).as_u64().expect("a number")
    }

    /// Whether a person sees the first element that matches a selector.
    pub(crate) fn is_visible(&mut self, selector: &str) -> bool {
        self.ask(json!({"do": "visible", "selector": selector})).as_bool().expect("yes or no")
    }

    /// Whether a reader would have to scroll sideways.
    pub(crate) fn overflows(&mut self) -> bool {
        self.ask(json!({"do": "overflows"})).as_bool().expect("yes or no")
    }

    pub(crate) fn screenshot(&mut self, path: &Path) {
        self.ask(json!({"do": "screenshot", "path": path}));
    }

    /// What the page requested, and what the browser complained about.
    pub(crate) fn seen(&mut self) -> (Vec<String>, Vec<String>) {
        let seen = self.ask(json!({"do": "seen"}));
        let list = |value: &Value| {
            value.as_array().expect("a list").iter().map(|v| v.as_str().unwrap_or_default().to_owned()).collect()
        };
        (list(&seen["requests"]), list(&seen["complaints"]))
    }

    fn ask(&mut self, deed: Value) -> Value {
        writeln!(self.tell.as_mut().expect("it listens"), "{deed}").expect("the driver lives");
        let heard = self.hear();
        assert!(heard["error"].is_null(), "{deed}: {heard}");
        heard["answer"].clone()
    }

    fn hear(&mut self) -> Value {
        let line = self.hear.next().expect("the driver lives; see its standard error").expect("a pipe");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes the browser when its standard input ends.
        drop(self.tell.take());
        let _ = self.driver.wait();
    }
}

/// Unpacks the browser, unless another is named.
fn unpack(folder: &Path) {
    if std::env::var_os("LAKEFRONT_CHROMIUM").is_some() {
        return;
    }
    let architecture = std::env::consts::ARCH;
    assert_eq!(
        architecture, "x86_64",
        "npm has a Chromium for x86_64 only: set LAKEFRONT_CHROMIUM to the path of another"
    );
    std::fs::create_dir_all(folder.join("tmp")).expect("a folder");
    let fonts = folder.join("tmp/fonts");
    // The package's own configuration names folders that only exist in its clouds.
    let config = format!("<fontconfig><dir>{}</dir><dir>/usr/share/fonts</dir></fontconfig>\n", fonts.display());
    std::fs::write(folder.join(FONTS), config).expect("a file");
    let unpack = "import('@sparticuz/chromium').then(({ default: packed }) => packed.executablePath())";
    let output =
        node(folder).args(["-e", unpack]).output().unwrap_or_else(|e| panic!("the tests need Node 20 or newer: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Node in the folder of the packages. The package unpacks into the folder for temporary files. It
/// brings the libraries and fonts that a machine may lack only if it believes it is in a cloud
/// function.
fn node(folder: &Path) -> Command {
    let mut command = Command::new("node");
    command.current_dir(folder).env("TMPDIR", folder.join("tmp")).env("AWS_LAMBDA_JS_RUNTIME", "nodejs20.x");
    command.env("FONTCONFIG_FILE", folder.join(FONTS));
    command
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}
