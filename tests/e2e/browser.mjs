// Drives a real browser over the DevTools protocol, through a pipe: no port, no library.
// Usage: node browser.mjs URL: uses the page with the keyboard alone, reads it as a screen reader does.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const url = process.argv[2];
const profile = mkdtempSync(join(process.cwd(), 'browser-'));
const browser = spawn('chromium', ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe',
  `--user-data-dir=${profile}`, '--window-size=1200,900', 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const [, , , toBrowser, fromBrowser] = browser.stdio;
const pending = new Map();
let last = 0, bytes = Buffer.alloc(0), session;
fromBrowser.on('data', (more) => {
  bytes = Buffer.concat([bytes, more]);
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0)) {
    const message = JSON.parse(bytes.subarray(0, end).toString());
    bytes = bytes.subarray(end + 1);
    const call = pending.get(message.id);
    if (!call) continue;
    pending.delete(message.id);
    if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
    else call.resolve(message.result);
  }
});
const send = (method, params = {}) => new Promise((resolve, reject) => {
  const id = ++last;
  pending.set(id, { resolve, reject, method });
  toBrowser.write(JSON.stringify({ id, method, params, ...(session && !method.startsWith('Target.') ? { sessionId: session } : {}) }) + '\0');
});
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const evaluate = async (expression) => {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return result.value;
};
const until = async (expression, what = expression) => {
  for (let i = 0; i < 200; ++i) {
    if (await evaluate(expression)) return;
    await sleep(50);
  }
  throw new Error(`never so: ${what}`);
};
const CODES = { Tab: 9, Enter: 13, ArrowRight: 39, ArrowLeft: 37, ' ': 32 };
const press = async (key, modifiers = 0) => {
  const text = key === 'Enter' ? '\r' : key === ' ' ? ' ' : undefined;
  const event = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: CODES[key], modifiers, text };
  await send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
  await send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
};
const type = (text) => send('Input.insertText', { text });
const focused = () => evaluate(`(() => { const e = document.activeElement; return e.getAttribute('aria-label') ?? e.closest('label')?.innerText.trim() ?? e.innerText?.trim() ?? e.tagName; })()`);
// tabTo TEXT: goes on by Tab until what has the focus is named so.
const tabTo = async (name) => {
  for (let i = 0; i < 80; ++i) {
    if ((await focused())?.startsWith(name)) return;
    await press('Tab');
  }
  throw new Error(`Tab never reaches '${name}'; the focus is on '${await focused()}'`);
};
const open = async (hash) => {
  await send('Page.navigate', { url: 'about:blank' });
  await send('Page.navigate', { url: `${url}/#${hash}` });
  await until(`document.querySelector('nav li') !== null`, 'the list of panels is there');
};
const check = (name, condition, why = '') => {
  if (!condition) throw new Error(`${name}: ${why}`);
  console.log(`ok ${name}`);
};

/** What assistive software gets: every node with a role, and whether it has a name. */
async function readAloud(where) {
  const { nodes } = await send('Accessibility.getFullAXTree');
  const role = (node) => node.role?.value;
  const seen = nodes.filter((node) => !node.ignored);
  const roles = new Set(seen.map(role));
  for (const wanted of ['main', 'navigation', 'heading']) check(`${where}: there is a ${wanted}`, roles.has(wanted), [...roles].join(' '));
  const named = ['button', 'link', 'textbox', 'searchbox', 'combobox', 'switch', 'checkbox', 'tab', 'img', 'form'];
  const nameless = seen.filter((node) => named.includes(role(node)) && !node.name?.value?.trim());
  check(`${where}: everything that can be used has a name`, nameless.length === 0, nameless.map((n) => `${role(n)} #${n.backendDOMNodeId}`).join(', '));
  return seen;
}

/** WCAG 1.4.3: the contrast of each text with what is behind it. */
const CONTRAST = `(() => {
  const parts = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = parts(c).slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (!e.innerText?.trim() || e.disabled || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    let behind = e;
    while (behind && parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const [a, b] = [light(getComputedStyle(e).color), light(getComputedStyle(behind ?? document.body).backgroundColor)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
  }
  return worst;
})()`;

async function main() {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  ({ sessionId: session } = await send('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Page', 'Runtime', 'Accessibility']) await send(`${domain}.enable`);

  // The keyboard alone: past the navigation, from tab to tab, a tool's form, its result.
  await open('tasks');
  await until(`document.querySelector('[role=tab]') !== null`);
  await press('Tab');
  check('the first stop is the way past the navigation', (await focused()) === 'Skip to the panel', await focused());
  await press('Enter');
  check('which leads to the panel', await evaluate(`document.activeElement.id === 'main'`));
  await tabTo('View');
  await press('ArrowRight');
  check('arrows change the part', await evaluate(`document.activeElement.id === 'tab-Tools' && document.activeElement.getAttribute('aria-selected') === 'true'`));
  check('one tab is in the order of tabs', await evaluate(`document.querySelectorAll('[role=tab][tabindex="0"]').length === 1`));
  await readAloud('tools');
  await evaluate(`document.querySelector('form[aria-label="Tool addTask"]').scrollIntoView()`);
  await tabTo('title');
  await type('By keyboard');
  await press('Enter');
  await until(`document.querySelector('form[aria-label="Tool addTask"] [aria-live] .badge')?.textContent === 'success'`, 'the result is told in a live region');
  check('a tool is called from its form', true);
  await evaluate(`document.getElementById('tab-Tools').focus()`);
  await press('ArrowLeft');
  await until(`document.getElementById('part').innerText.includes('By keyboard')`, 'the view shows what the tool added');
  await readAloud('view');
  for (const part of ['State', 'Runs', 'Log']) {
    await evaluate(`document.getElementById('tab-${part}').click()`);
    await sleep(100);
    await readAloud(part);
  }

  // Light and dark, each readable.
  for (const theme of ['light', 'dark']) {
    await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] });
    for (const hash of ['tasks', 'releases', '/approvals']) {
      await open(hash);
      await sleep(400);
      const [ratio, where] = await evaluate(CONTRAST);
      check(`${theme}: ${hash} is readable`, ratio >= 4.5, `${ratio.toFixed(2)} at ${where}`);
    }
  }
  const background = () => evaluate(`getComputedStyle(document.body).backgroundColor`);
  const dark = await background();
  await tabTo('Switch between light and dark');
  await press('Enter');
  check('a button changes it', (await background()) !== dark);
  await open('tasks');
  check('and it stays', (await background()) !== dark);

  // What a view command asks for is done to the component.
  await open('filter-test');
  await until(`document.querySelectorAll('#lines > div').length === 3`, 'three lines');
  await fetch(`${url}/panels/filter-test/trigger/filter`, { method: 'POST', body: JSON.stringify({ to: 'beta' }) });
  await until(`document.querySelectorAll('#lines > div').length === 1 && document.getElementById('lines').innerText.trim() === 'Beta'`, 'setFilter leaves one line');
  check('setFilter is honoured', true);
  await fetch(`${url}/panels/filter-test/trigger/filter`, { method: 'POST', body: JSON.stringify({ to: '' }) });
  await until(`document.querySelectorAll('#lines > div').length === 3`, 'an empty filter shows all');

  // A run asks for a right, and is answered from the page.
  await fetch(`${url}/panels/releases/trigger/propose`, { method: 'POST', body: '{"version": "2.0.0"}' });
  await fetch(`${url}/panels/releases/trigger/ship?wait=false`, { method: 'POST', body: '{"version": "2.0.0"}' });
  await open('/approvals');
  await until(`document.querySelector('main')?.innerText.includes('state:write:live')`, 'the request is listed');
  await readAloud('approvals');
  await tabTo('Approve');
  await press(' ');
  await until(`document.querySelector('main').innerText.includes('Nothing waits')`, 'it is answered');
  const state = await (await fetch(`${url}/panels/releases/state`)).json();
  check('an approval is given by keyboard', state.state.live.version === '2.0.0', JSON.stringify(state));
}

let code = 0;
const guard = setTimeout(() => { console.log('FAIL browser: it took too long'); browser.kill('SIGKILL'); process.exit(1); }, 150_000);
try { await main(); } catch (error) { code = 1; console.log(`FAIL browser: ${error.message}`); }
clearTimeout(guard);
const ended = new Promise((resolve) => browser.once('exit', resolve));
await Promise.race([send('Browser.close').catch(() => {}), sleep(3000)]);
await Promise.race([ended, sleep(3000)]);
browser.kill('SIGKILL');
// Its helpers may still be writing; the test's folder goes with the test anyway.
try { rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); } catch { /* left to the test */ }
process.exit(code);
