// The live page: polls /status.json each second and shows what it says. Its values are inserted as
// text, never as markup, because anybody may have named the files and tables.
'use strict';

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const NARROW = matchMedia('(max-width: 40rem)');

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat('en-US');
const STATUS = {
  ok: 'ready',
  starting: 'starting',
  stopping: 'stopping',
  stalled: 'stalled',
  failing: 'commits fail',
  low_disk: 'disk is low',
  not_read: 'source not fully read',
  degraded: 'a table stands still',
  gone: 'no answer',
};

/* Numbers as people read them. */

function scaled(value, units) {
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  const digits = at === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return [value.toFixed(digits), units[at]];
}

const bytes = (value) => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
/** An amount of what is counted: bytes with their own units, or a number of something. */
const amount = (value, unit) => (unit === 'bytes' ? bytes(value) : [count(value).join(''), unit]);
const count = (value) => (value < 9.95 ? [value.toFixed(1).replace('.0', ''), ''] : scaled(value, ['', 'k', 'M', 'G']));

function seconds(value) {
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 99.5) return `${value.toFixed(value < 9.95 ? 1 : 0)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(value / 3600);
  return hours < 72 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const busy = (share) => (share < 0.0005 ? 'idle' : `${percent(share)} busy`);
const percent = (share) => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;

/* Elements. */

function element(name, text, attributes = {}) {
  return fill(document.createElement(name), text, attributes);
}

function drawn(name, attributes = {}, text = '') {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), text, attributes);
}

function fill(node, text, attributes) {
  if (text !== '') node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Writes only what has changed, so that selections and screen readers are not disturbed. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function value(id, [number, unit]) {
  const node = byId(id);
  if (node.dataset.shown === number + unit) return;
  node.dataset.shown = number + unit;
  node.replaceChildren(number, element('small', unit));
}

/* The graph of operators. Its shape is the pipeline's, from the names of its steps; after that only
   numbers and colours change. */

/* Of each group of tables. What `tally` counts goes past `stage` to `commit`, through `totals`,
   which has no box of its own. */
const LANE = ['tally', 'stage', 'commit'];
let graph = null;

/** The pipeline's own steps, and the roles of its groups. */
function shapeOf(steps) {
  const names = steps.map((step) => step.name);
  const first = names.findIndex((name) => name.startsWith('tally['));
  const roles = names.flatMap((name) => name.match(/^tally\[(.*)\]$/)?.slice(1) ?? []);
  return { chain: names.slice(0, first), roles };
}

/** Where each step stands: left, top and height of its box. */
function layout({ chain, roles }, narrow) {
  const at = {};
  if (narrow) {
    // Where there is little room, a table's role has a line of its own.
    const [w, low, high, gap] = [106, 74, 92, 24];
    chain.forEach((name, i) => { at[name] = [132, 4 + i * (low + gap), low]; });
    const fork = 4 + chain.length * (low + gap) + 10;
    roles.forEach((role, i) => {
      LANE.forEach((verb, j) => { at[`${verb}[${role}]`] = [18 + i * (w + 8), fork + j * (high + gap), high]; });
    });
    at.checkpoint = [132, fork + LANE.length * (high + gap) + 10, low];
    const width = Math.max(360, 18 + roles.length * (w + 8));
    return { at, w, width, height: at.checkpoint[1] + low + 4, narrow, chain, roles };
  }
  const [w, h, gap] = [136, 76, 16];
  const column = (i) => 6 + i * (w + gap);
  const middle = 50 * roles.length;
  chain.forEach((name, i) => { at[name] = [column(i), middle, h]; });
  roles.forEach((role, i) => {
    LANE.forEach((verb, j) => { at[`${verb}[${role}]`] = [column(chain.length + j), 50 + i * 100, h]; });
  });
  const last = chain.length + LANE.length;
  at.checkpoint = [column(last), middle, h];
  return { at, w, width: column(last) + w + 6, height: 36 + 100 * roles.length, narrow, chain, roles };
}

function path({ at, w, narrow }, from, to) {
  const [a, b] = [at[from], at[to]];
  if (narrow) {
    const [x1, y1, x2, y2] = [a[0] + w / 2, a[1] + a[2], b[0] + w / 2, b[1] - 6];
    const bend = (y2 - y1) / 2;
    return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  }
  const [x1, y1, x2, y2] = [a[0] + w, a[1] + a[2] / 2, b[0] - 6, b[1] + b[2] / 2];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** The way back: `plan` learns what every table holds. */
function feedback({ at, w, narrow }) {
  const [last, first] = [at.checkpoint, at.plan];
  if (narrow) {
    const [x, y1, y2] = [4, last[1] + last[2] / 2, first[1] + first[2] / 2];
    return `M${last[0]} ${y1}H${x + 12}Q${x} ${y1} ${x} ${y1 - 12}V${y2 + 12}Q${x} ${y2} ${x + 12} ${y2}H${first[0] - 6}`;
  }
  const [x1, x2, y] = [last[0] + w / 2, first[0] + w / 2, 20];
  return `M${x1} ${last[1]}V${y + 12}Q${x1} ${y} ${x1 - 12} ${y}H${x2 + 12}Q${x2} ${y} ${x2} ${y + 12}V${first[1] - 6}`;
}

function draw(steps, narrow) {
  const shape = layout(shapeOf(steps), narrow);
  const svg = drawn('svg', { viewBox: `0 0 ${shape.width} ${shape.height}`, role: 'img', 'aria-labelledby': 'graph-title' });
  const marker = drawn('marker', { id: 'tip', viewBox: '0 0 8 8', refX: 3, refY: 4, markerWidth: 8, markerHeight: 8, orient: 'auto', markerUnits: 'userSpaceOnUse' });
  marker.append(drawn('path', { d: 'M0 0L8 4L0 8Z', class: 'tip' }));
  const defs = drawn('defs');
  defs.append(marker);
  svg.append(defs);
  const edges = {};
  const link = (from, to) => {
    const edge = drawn('path', { d: path(shape, from, to), class: 'edge', 'marker-end': 'url(#tip)' });
    (edges[from] ??= []).push(edge);
    svg.append(edge);
  };
  shape.chain.slice(1).forEach((name, i) => link(shape.chain[i], name));
  for (const role of shape.roles) {
    const lane = [shape.chain.at(-1), ...LANE.map((verb) => `${verb}[${role}]`), 'checkpoint'];
    lane.slice(1).forEach((name, i) => link(lane[i], name));
  }
  svg.append(drawn('path', { d: feedback(shape), class: 'edge back', 'marker-end': 'url(#tip)' }));
  const label = narrow ? { x: 18, y: shape.at.plan[1] + shape.at.plan[2] / 2 - 8 } : { x: shape.width / 2, y: 14, 'text-anchor': 'middle' };
  svg.append(drawn('text', { ...label, class: 'label' }, narrow ? 'acknowledged' : 'acknowledged: held by every table'));
  const nodes = Object.fromEntries(Object.keys(shape.at).map((name) => [name, box(svg, shape, name)]));
  byId('graph').replaceChildren(svg);
  return { nodes, edges };
}

function box(svg, { at, w, narrow }, name) {
  const [x, y, h] = at[name];
  const group = drawn('g', { class: 'step', 'data-step': name, transform: `translate(${x} ${y})` });
  group.append(drawn('rect', { class: 'box', width: w, height: h, rx: 10 }));
  const [, verb, role] = name.match(/^(\w+)(?:\[(.*)\])?$/);
  group.append(drawn('text', { class: 'title', x: 11, y: 22 }, verb));
  if (role) group.append(drawn('text', narrow ? { x: 11, y: 39 } : { x: w - 11, y: 22, 'text-anchor': 'end' }, role));
  const rate = drawn('text', { class: 'rate', x: 11, y: h - 35 });
  const frontier = drawn('text', { class: 'frontier', x: 11, y: h - 18 });
  const busy = drawn('rect', { class: 'busy', x: 11, y: h - 10, width: 0, height: 3, rx: 1.5 });
  const tip = drawn('title');
  group.append(rate, frontier, drawn('rect', { class: 'track', x: 11, y: h - 10, width: w - 22, height: 3, rx: 1.5 }), busy, tip);
  svg.append(group);
  return { group, rate, frontier, busy, tip, room: w - 22 };
}

function showGraph(now) {
  graph ??= draw(now.steps, NARROW.matches);
  for (const step of now.steps) {
    const node = graph.nodes[step.name];
    if (!node) continue;
    say(node.rate, step.rate === null ? busy(step.busy) : rateOf(step));
    say(node.frontier, whole.format(step.position));
    node.busy.setAttribute('width', (node.room * Math.min(step.busy, 1)).toFixed(1));
    const behind = step.behind > 0 ? `${amount(step.behind, now.unit).join(' ')} behind` : 'level';
    say(node.tip, `${step.name}: frontier ${whole.format(step.position)}, ${behind}, ${busy(step.busy)}`);
    node.group.classList.toggle('behind', step.behind > 0);
    node.group.classList.toggle('holds', (now.health.step ?? '').replace('totals', 'tally') === step.name);
    for (const edge of graph.edges[step.name] ?? []) edge.classList.toggle('flows', step.rate > 0);
  }
}

function rateOf(step) {
  return `${amount(step.rate, step.unit).join(' ')}/s`;
}

/* Charts: up to five minutes and at least one, a point per second, newest at the right. */

function chart(id, points) {
  const [width, height] = [300, 48];
  say(byId(`${id}-span`), `last ${seconds(points.length)}`);
  const step = width / Math.max(points.length - 1, 60);
  const top = Math.max(...points, 1e-9);
  const across = (i) => (width - (points.length - 1 - i) * step).toFixed(1);
  const line = points.map((point, i) => `${across(i)} ${(height - 1 - (point / top) * (height - 5)).toFixed(1)}`);
  if (line.length === 0) return;
  const first = across(0);
  byId(id).replaceChildren(
    drawn('path', { class: 'base', d: `M0 ${height - 1}H${width}` }),
    drawn('path', { class: 'area', d: `M${first} ${height}L${line.join('L')}L${width} ${height}Z` }),
    drawn('path', { class: 'edge', d: `M${line.join('L')}` }),
  );
}

/* Tables. */

function rows(id, entries) {
  const body = byId(id);
  while (body.rows.length > entries.length) body.deleteRow(-1);
  entries.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    cells.forEach((cell, j) => {
      const at = row.cells[j] ?? row.insertCell();
      const [text, small = '', bad = false] = [cell].flat();
      const shown = JSON.stringify([text, small, bad]);
      if (at.dataset.shown === shown) return;
      at.dataset.shown = shown;
      at.className = bad ? 'bad' : '';
      at.replaceChildren(text, ...(small ? [element('small', small)] : []));
    });
  });
}

/** The text below the number of commits, and whether it is bad news. */
function commits(table) {
  if (table.failing_seconds !== null) return [`failing for ${seconds(table.failing_seconds)}`, true];
  return [table.last_commit === null ? '' : `last ${clock(table.last_commit)}`, false];
}

/** The reader's local time of day, with the date unless it is today. */
function clock(moment) {
  const at = new Date(moment);
  const time = at.toLocaleTimeString('en-GB');
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`;
}

function showTables(now) {
  rows('tables', now.tables.map(now.flushes ? hot : (table) => [
    [table.role, table.name],
    [whole.format(table.position), table.behind > 0 ? `${amount(table.behind, now.unit).join(' ')} behind` : ''],
    whole.format(table.rows),
    count(table.rows_per_second).join(''),
    [whole.format(table.commits), ...commits(table)],
  ]));
  rows('steps', now.steps.map((step) => [
    step.name,
    whole.format(step.position),
    step.behind > 0 ? amount(step.behind, now.unit).join(' ') : 'level',
    step.still_seconds === null ? '–' : seconds(step.still_seconds),
    percent(step.busy),
  ]));
  if (now.flushes) return;
  const rejects = Object.entries(now.rejects).filter(([, lines]) => lines > 0);
  const listed = rejects.map(([reason, lines]) => `${whole.format(lines)} ${reason}`).join(', ');
  say(byId('rejects'), rejects.length ? `Lines that could not be rows: ${listed}.` : '');
}

/* What a pipeline of flushes has instead of files, bytes and lines. */

/** The cells of a hot table. Its role is its name. */
function hot(table) {
  const late = Object.entries(table.late).filter(([, rows]) => rows > 0);
  const bad = table.failing_seconds === null ? [] : [`failing for ${seconds(table.failing_seconds)}`, true];
  return [
    table.name,
    table.watermark === null ? '–' : whole.format(table.watermark),
    [whole.format(table.rows), late.map(([what, rows]) => `${whole.format(rows)} late, ${what}`).join('; ')],
    count(table.rows_per_second).join(''),
    [table.waiting === null ? '–' : whole.format(table.waiting), ...bad],
  ];
}

function showFlushes({ flushes, history, lag }) {
  const { waiting, last, void: again } = flushes;
  value('read', waiting === null ? ['–', ''] : [count(waiting).join(' ').trim(), 'rows']);
  chart('chart-read', history.waiting);
  say(byId('last-flush'), last === null ? '–' : `${whole.format(last.rows)} rows in ${seconds(last.seconds)}`);
  say(byId('next-flush'), due(flushes) ?? (lag > 0 ? 'under way' : '–'));
  const why = Object.entries(again).filter(([, times]) => times > 0);
  const listed = why.map(([reason, times]) => `${whole.format(times)} ${reason}`).join(', ');
  say(byId('rejects'), why.length ? `Flushes that were made again: ${listed}.` : '');
}

/** When the next flush begins, if it is waited for. */
const due = (flushes) => (flushes.next_in_seconds === null ? null : `in ${seconds(flushes.next_in_seconds)}`);

/* Everything. */

function show(now) {
  document.title = `${now.pipeline} · lakefront`;
  say(byId('version'), now.version);
  say(byId('pipeline'), now.pipeline);
  say(byId('mode'), now.flushes ? 'flushes' : now.mode === 'tail' ? 'follows' : 'backfills');
  say(byId('source'), now.source);
  for (const node of document.querySelectorAll('[data-only]')) node.hidden = (node.dataset.only === 'flushes') !== Boolean(now.flushes);
  const fails = now.flushes && now.health.status === 'failing';
  showHealth(now.health.status, now.health.reason ?? calm(now), fails ? 'flushes fail' : undefined);
  if (now.flushes) {
    showFlushes(now);
  } else {
    value('read', withRate(bytes(now.rates.bytes_per_second)));
    chart('chart-read', now.history.bytes_per_second);
  }
  value('landed', [count(now.rates.rows_per_second).join(' ').trim(), 'rows/s']);
  value('lag', amount(now.lag, now.unit));
  chart('chart-landed', now.history.rows_per_second);
  chart('chart-lag', now.history.lag);
  say(byId('position'), whole.format(now.position));
  say(byId('unit'), now.unit);
  say(byId('acknowledged'), whole.format(now.acknowledged));
  const commits = now.tables.map((table) => table.last_commit).filter((moment) => moment !== null);
  say(byId('last-commit'), commits.length ? clock(commits.sort().at(-1)) : '–');
  const most = now.lag > 0 ? now.lags_most : null;
  say(byId('lags-most'), most ? `most in ${most.partition}` : '');
  const visible = now.latency.visible;
  say(byId('visible'), visible ? `${seconds(visible.p50)}, p99 ${seconds(visible.p99)}` : '–');
  const { host, pid, since } = now.process;
  say(byId('run'), now.run === null ? '–' : `${now.run}, process ${pid} on ${host}`);
  byId('run').title = `since ${clock(since)}`;
  say(byId('up'), seconds(now.uptime_seconds));
  const free = Object.entries(now.disk_free_bytes).map(([on, left]) => `${on} ${bytes(left).join(' ')}`);
  byId('free').parentElement.hidden = free.length === 0;
  say(byId('free'), free.join(', '));
  showGraph(now);
  showTables(now);
}

const withRate = ([number, unit]) => [number, `${unit}/s`];

function calm(now) {
  if (now.flushes && due(now.flushes)) return `the next flush begins ${due(now.flushes)}`;
  return now.lag === 0 ? 'every table holds all that was seen' : `${amount(now.lag, now.unit).join(' ')} on their way`;
}

function showHealth(status, reason, word = STATUS[status] ?? status) {
  byId('health').dataset.status = status;
  document.body.classList.toggle('is-gone', status === 'gone');
  say(byId('status'), word);
  say(byId('reason'), reason);
}

let last = null;

async function look() {
  try {
    const answer = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    last = await answer.json();
    show(last);
  } catch {
    showHealth('gone', 'The run does not answer: it has ended, or this machine cannot reach it. The values below are old.');
  }
  setTimeout(look, EVERY_MS);
}

NARROW.addEventListener('change', () => {
  graph = null;
  if (last) showGraph(last);
});
look();
