// A headless Chromium that takes commands on standard input and answers on standard output, one
// JSON object per line. It ends when its standard input does. Every page it opens is watched: what
// it requested, and what it complained about.
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

// No sandbox, because the only page it sees is ours, and in containers everybody is root. Nothing
// goes out: neither the page's requests nor the browser's own.
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-proxy-server', '--font-render-hinting=none',
];

// Unpacked once, into the folder for temporary files. The environment may name another browser.
async function executable() {
  if (process.env.LAKEFRONT_CHROMIUM) return process.env.LAKEFRONT_CHROMIUM;
  const { default: packed } = await import('@sparticuz/chromium');
  return packed.executablePath();
}

const browser = await chromium.launch({ executablePath: await executable(), args: ARGUMENTS });
let page = null;
let seen = null;

async function open({ url, width, height, scheme }) {
  await page?.context().close();
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: 1 });
  page = await context.newPage();
  seen = { requests: [], complaints: [] };
  const { requests, complaints } = seen;
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`thrown: ${error}`));
  page.on('dialog', async (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  const answer = await page.goto(url);
  // Without fonts, text has no height, and a person would see no text.
  const text = await page.locator('h1').boundingBox();
  return { status: answer.status(), text_height: text.height };
}

const deeds = {
  open,
  // The text of each element that matches a selector.
  texts: async ({ selector }) => page.locator(selector).allTextContents(),
  // An attribute of the first one.
  attribute: async ({ selector, name }) => page.locator(selector).first().getAttribute(name),
  count: async ({ selector }) => page.locator(selector).count(),
  // Whether a person sees the first one.
  visible: async ({ selector }) => page.locator(selector).first().isVisible(),
  // Whether something is wider than the window.
  overflows: async () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth),
  screenshot: async ({ path }) => (await page.screenshot({ path, fullPage: true }), null),
  seen: async () => seen,
};

console.log(JSON.stringify({ version: browser.version() }));
for await (const line of createInterface({ input: process.stdin })) {
  const { do: deed, ...what } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ answer: await deeds[deed](what) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
