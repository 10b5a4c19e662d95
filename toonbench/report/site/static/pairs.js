// The browser of pairs: connects the list, the videos, the curves and the address.
"use strict";
document.addEventListener("DOMContentLoaded", async () => {
  const $ = (id) => document.getElementById(id);
  const { root, leaderboard: slug } = $("browser").dataset;
  const data = `${root}data/${slug}`;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const CLIPS = [["source", "Source"], ["driving", "Driving video"], ["target", "Target"]];
  const SPEEDS = [...$("speed").options].map((one) => one.value);
  let pair = null; // the entry of the list
  let shown = null; // its data
  let tiles = []; // {slug, element, video, canvas, part}
  let values = null; // of the metric that orders the list

  $("browser").hidden = false;
  if (matchMedia("(max-width: 56rem)").matches) $("chooser").open = false;
  let board;
  try {
    board = await toonbench.load("leaderboard", `${data}/leaderboard.js`);
  } catch (error) {
    $("pairname").textContent = error.message;
    return;
  }
  const methods = board.methods.map((one, at) => ({ ...one, tone: `m${at % 8}`, dashed: at >= 8 || Boolean(one.reference), visible: true }));
  const pairs = board.pairs.map(([file, name, source, driving, failed], at) => ({ at, file, name, source, driving, failed }));
  const text = (parent, tag, content, className = "") => {
    const one = document.createElement(tag);
    one.textContent = content;
    if (className) one.className = className;
    parent.append(one);
    return one;
  };

  const number = (value, places) => (value === null || value === undefined ? "–" : value.toFixed(places).replace("-", "−"));

  // The list
  const list = new toonbench.List($("list"), {
    onChoose: (item) => open(item, { keep: true }),
    fill(row, item) {
      const line = text(row, "span", "", "names");
      text(line, "bdi", item.source);
      line.append(" ← ");
      text(line, "bdi", item.driving);
      const more = text(row, "span", "", "more");
      text(more, "span", `#${item.at + 1}`);
      const value = values && values.numbers[item.at];
      if (values) text(more, "span", number(value, values.places), "n");
      if (item.failed) text(more, "span", `${item.failed} missing`, "missing");
    },
  });
  $("chooser").addEventListener("toggle", () => list.draw());
  function fillList() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = pairs.filter((one) => {
      const name = `${one.name} ${one.source} ${one.driving} #${one.at + 1}`.toLowerCase();
      return words.every((word) => name.includes(word)) && (!$("failed").checked || one.failed);
    });
    if (values) {
      const sign = values.higher ? 1 : -1;
      const key = (one) => (values.numbers[one.at] === null ? Infinity : sign * values.numbers[one.at]);
      found = found.map((one) => [key(one), one]).sort((a, b) => (a[0] === b[0] ? a[1].at - b[1].at : a[0] - b[0])).map(([, one]) => one);
    }
    $("found").textContent = found.length === pairs.length ? `${pairs.length} pairs` : `${found.length} of ${pairs.length} pairs`;
    list.set(found, pair);
  }
  $("order").append(new Option("in the task’s order", ""), ...board.metrics.map((one) => new Option(`worst ${one.name} first`, one.slug)));
  $("ordermethod").append(...methods.map((one, at) => new Option(one.label, at)));
  $("ordermethod").value = Math.max(0, methods.findIndex((one) => !one.reference && !one.problem));
  async function order() {
    const metric = board.metrics.find((one) => one.slug === $("order").value);
    $("ordermethod").hidden = !metric;
    const loaded = metric && (await toonbench.load(`values-${metric.slug}`, `${data}/values-${metric.slug}.js`));
    values = metric ? { numbers: loaded[$("ordermethod").value], higher: metric.higher, places: metric.places } : null;
    fillList();
  }
  $("order").addEventListener("change", order);
  $("ordermethod").addEventListener("change", order);
  $("search").addEventListener("input", fillList);
  $("failed").addEventListener("change", fillList);

  // Videos and curves
  const charts = new toonbench.Charts($("charts"), { onSeek: (frame) => player.seek(frame) });
  const player = new toonbench.Player({
    onFrame(frame) {
      $("frame").value = frame;
      $("frame").setAttribute("aria-valuetext", `frame ${frame + 1} of ${player.frames}`);
      $("counter").textContent = player.frames ? `${frame + 1} / ${player.frames}` : "no video";
      charts.at(frame);
      if (!player.playing) remember();
    },
    onState({ playing, busy }) {
      $("play").textContent = playing ? "Pause" : "Play";
      $("play").setAttribute("aria-pressed", playing);
      clearTimeout(player.slow);
      if (busy) player.slow = setTimeout(() => { $("state").textContent = "loading…"; }, 400);
      else $("state").textContent = "";
      if (!playing) remember();
    },
  });
  let later = 0;
  function remember() {
    clearTimeout(later);
    later = setTimeout(() => {
      const some = methods.every((one) => one.visible) ? null : methods.filter((one) => one.visible).map((one) => one.slug);
      const metric = $("order").value;
      if (pair) toonbench.address.write({ pair: pair.file, methods: some, frame: player.frame, difference: $("difference").checked, metric });
    }, 120);
  }

  function tile(label, part, { tone = "", note = "" } = {}) {
    const figure = document.createElement("figure");
    figure.className = `tile ${tone}`;
    const caption = text(figure, "figcaption", "");
    if (tone) text(caption, "i", "", "dot").setAttribute("aria-hidden", "true");
    text(caption, "bdi", label);
    if (note) text(caption, "span", note, "tag");
    const frame = text(figure, "div", "", "picture");
    if (!part.key) {
      text(frame, "p", part.reason || "not available", "reason");
      return { figure, part };
    }
    frame.style.aspectRatio = `${part.width} / ${part.height}`;
    const media = `${root}media/${part.key}`;
    if (!part.fps) {
      const image = document.createElement("img");
      Object.assign(image, { src: `${media}.jpg`, alt: label, width: part.width, height: part.height });
      frame.append(image);
      return { figure, part };
    }
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "none", poster: `${media}.jpg`, src: `${media}.mp4`, disableRemotePlayback: true });
    video.setAttribute("muted", "");
    video.setAttribute("aria-label", label);
    video.tabIndex = -1;
    const canvas = document.createElement("canvas");
    canvas.hidden = true;
    canvas.setAttribute("aria-hidden", "true");
    frame.append(video, canvas);
    return { figure, part, video, canvas };
  }

  function drawTiles(frame) {
    tiles = CLIPS.map(([role, label]) => ({ role, ...tile(label, shown.clips[role]) }));
    methods.forEach((one, at) => {
      if (!one.visible) return;
      const part = shown.methods[at];
      const reason = part.failure || part.reason;
      tiles.push({ role: "method", slug: one.slug, ...tile(one.label, { ...part, reason }, { tone: one.tone, note: one.reference ? "reference" : "" }) });
    });
    if (tiles.slice(0, 3).every((one) => !one.part.key) && new Set(tiles.slice(0, 3).map((one) => one.part.reason)).size === 1) {
      tiles = tiles.slice(3); // one note above says why
    }
    $("tiles").replaceChildren(...tiles.map((one) => one.figure));
    const moving = tiles.filter((one) => one.video);
    const frames = Math.max(0, ...shown.methods.map((one) => one.frames || 0), shown.clips.driving.frames || 0);
    const fps = moving[0]?.part.fps || 25;
    $("frame").max = Math.max(0, frames - 1);
    player.set(moving.map((one) => ({ ...one, fps: one.part.fps, frames: one.part.frames })), { frames, fps, frame });
    difference();
    drawCharts(frames);
    player.onFrame(player.frame);
    if (player.frame > 0 && moving.length) player.seek(player.frame);
  }
  function drawCharts(frames) {
    const found = board.metrics.map((one) => ({ ...one, curves: shown.curves[one.id] })).filter((one) => one.curves);
    const first = found.findIndex((one) => one.slug === $("order").value);
    if (first > 0) found.unshift(...found.splice(first, 1));
    charts.set(found, methods, { frames, skip: shown.skip });
  }
  function difference() {
    const target = tiles.find((one) => one.role === "target" && one.video);
    $("difference").disabled = !target;
    const on = $("difference").checked && target;
    for (const track of player.tracks) {
      const own = tiles.find((one) => one.canvas === track.canvas);
      track.over = on && own.role === "method" ? player.tracks.find((one) => one.canvas === target.canvas) : null;
    }
    $("tiles").classList.toggle("differences", Boolean(on));
    return on;
  }
  function drawValues() {
    const table = $("values");
    table.replaceChildren();
    text(table, "caption", "Values of this pair");
    const head = table.createTHead().insertRow();
    text(head, "th", "metric").scope = "col";
    methods.forEach((one) => {
      const cell = text(head, "th", "", one.tone);
      cell.scope = "col";
      text(cell, "i", "", "dot").setAttribute("aria-hidden", "true");
      text(cell, "bdi", one.label);
    });
    const body = table.createTBody();
    board.metrics.forEach((metric, at) => {
      const row = body.insertRow();
      const name = text(row, "th", "");
      name.scope = "row";
      const link = text(name, "a", metric.name);
      link.href = `${root}metrics/${metric.slug}.html`;
      text(name, "span", metric.higher ? " ↑" : " ↓", "arrow");
      shown.values[at].forEach((value) => text(row, "td", number(value, metric.places)));
    });
  }

  async function open(item, { frame = 0, keep = false } = {}) {
    const playing = player.playing && !calm;
    if (player.playing) player.pause();
    pair = item;
    list.mark(item);
    let loaded;
    try {
      loaded = await toonbench.load(`pair-${item.file}`, `${data}/pairs/${item.file}.js`);
    } catch (error) {
      if (pair === item) $("pairname").textContent = error.message;
      return;
    }
    if (pair !== item) return;
    shown = loaded;
    const name = $("pairname");
    name.replaceChildren();
    name.title = shown.pair;
    text(name, "bdi", item.source);
    name.append(" ← ");
    text(name, "bdi", item.driving);
    drawValues();
    drawTiles(frame);
    if (keep && playing) player.play();
  }
  function step(by) {
    if (!list.items.length) return;
    const at = list.chosen + by;
    if (at >= 0 && at < list.items.length) list.choose(at);
  }

  // Methods
  methods.forEach((one) => {
    const label = text($("methods"), "label", "", `chip ${one.tone}`);
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    label.append(box);
    text(label, "i", "", "dot").setAttribute("aria-hidden", "true");
    text(label, "bdi", one.label);
    one.box = box;
    box.addEventListener("change", () => {
      one.visible = box.checked;
      const playing = player.playing;
      if (playing) player.pause();
      drawTiles(player.frame);
      if (playing) player.play();
    });
  });

  // Buttons and keys
  const toggle = () => (player.playing ? player.pause() : player.play());
  const move = (by) => {
    if (player.playing) player.pause();
    player.seek(player.frame + by);
  };
  const go = (frame) => player.seek(frame);
  const check = (id) => {
    $(id).checked = !$(id).checked;
    $(id).dispatchEvent(new Event("change"));
  };
  const faster = (by) => {
    $("speed").value = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf($("speed").value) + by))];
    player.setRate(Number($("speed").value));
  };
  $("play").addEventListener("click", toggle);
  $("back").addEventListener("click", () => move(-1));
  $("forward").addEventListener("click", () => move(1));
  $("frame").addEventListener("input", () => go(Number($("frame").value)));
  $("loop").addEventListener("change", () => { player.loop = $("loop").checked; });
  $("difference").addEventListener("change", () => {
    if ($("difference").disabled) { $("difference").checked = false; return; }
    difference();
    if (!player.playing) player.seek(player.frame);
    remember();
  });
  $("speed").addEventListener("change", () => player.setRate(Number($("speed").value)));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  toonbench.keys({
    " ": toggle, ArrowLeft: () => move(-1), ArrowRight: () => move(1), "Shift+ArrowLeft": () => move(-10), "Shift+ArrowRight": () => move(10),
    Home: () => go(0), End: () => go(player.frames - 1), l: () => check("loop"), d: () => check("difference"),
    "[": () => faster(-1), "]": () => faster(1), p: () => step(-1), n: () => step(1),
    "/": () => $("search").focus(),
  });

  // The address
  async function follow(hash) {
    const wanted = toonbench.address.read(hash);
    const found = pairs.find((one) => one.file === wanted.pair || one.name === wanted.pair);
    methods.forEach((one) => {
      one.visible = !wanted.methods || wanted.methods.includes(one.slug);
      one.box.checked = one.visible;
    });
    $("difference").checked = wanted.difference;
    if (wanted.metric !== null && [...$("order").options].some((one) => one.value === wanted.metric)) $("order").value = wanted.metric;
    const only = methods.findIndex((one) => one.visible);
    if (wanted.methods && wanted.methods.length === 1 && only >= 0) $("ordermethod").value = only;
    await order();
    const first = found || list.items[0] || pairs[0];
    if (first) await open(first, { frame: wanted.frame });
  }
  addEventListener("hashchange", (event) => {
    clearTimeout(later); // the address that the reader gave must not be written over
    follow(new URL(event.newURL).hash);
  });
  await follow();
  document.body.dataset.ready = "true";
  toonbench.player = player;
});
