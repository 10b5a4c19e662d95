"use strict";
/* The page of a preference study. It knows neutral ids only. Answers are kept in the browser's storage after every choice. */
(() => {
  const study = window.STUDY;
  const byId = (id) => document.getElementById(id);
  const TEXTS = {
    overall: ["Which video is best?", "The face of the source should move like the driving video, stay the same face, and look good."],
    motion: ["In which video does the face move more like the driving video?", "Compare head, eyes and mouth. Do not judge how beautiful the picture is."],
    identity: ["In which video does the face stay more like the source?", "Compare the face and its drawing style with the source picture. Do not judge the motion."],
    quality: ["Which video looks better?", "Look for blur, flicker and distorted parts. Do not judge motion or likeness."],
  };
  const PATIENCE = 8000; // milliseconds for videos to load: some phones load none before it plays
  const SETTLED = [404, 405, 501]; // a plain web server: it takes no votes
  let sheet = 0, at = 0, state = null, sending = false, refused = "", memory = true;
  let videos = [], playing = true, fault = "";

  const key = () => `toonbench-study-${study.study}-${sheet}`;
  const token = () => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
  const questions = () => study.sheets[sheet - 1];
  const served = () => location.protocol.startsWith("http");

  function stored() {
    try { return JSON.parse(localStorage.getItem(key())); } catch { return null; }
  }
  function load() {
    const found = stored();
    state = found && typeof found.rater === "string" && found.votes ? { ...found, sent: found.sent ?? {} } : { rater: token(), votes: {}, sent: {} };
    keep();
  }
  /* Another tab may have stored newer answers of the same rater: they are kept. */
  function keep() {
    const other = stored();
    if (other && other.rater === state.rater) {
      for (const [name, vote] of Object.entries(other.votes)) if (!state.votes[name] || state.votes[name].at < vote.at) state.votes[name] = vote;
    }
    try { localStorage.setItem(key(), JSON.stringify(state)); memory = true; } catch { memory = false; }
  }

  function choose(choice) {
    const [name] = questions()[at], before = state.votes[name];
    if (!before || before.choice !== choice) {
      state.votes[name] = { choice, at: Math.max(Date.now(), before ? before.at + 1 : 0) };
      keep();
    }
    mark();
  }
  function mark() {
    const [name, order] = questions()[at], vote = state.votes[name];
    const radios = [...document.querySelectorAll("#options input")];
    const shown = radios.find((one) => one.checked);
    const right = vote && shown && order[Number(shown.value)] === vote.choice;
    if (!right) radios.forEach((one) => { one.checked = Boolean(vote) && order[Number(one.value)] === vote.choice && order.indexOf(vote.choice) === Number(one.value); });
    byId("neither").setAttribute("aria-pressed", String(Boolean(vote) && vote.choice === ""));
    byId("next").disabled = !vote;
    const forgets = memory ? "" : "This browser keeps no data for this page: do not close or reload it before you have saved your answers.";
    byId("problem").textContent = [fault, forgets].filter(Boolean).join(" ");
    byId("problem").hidden = !byId("problem").textContent;
  }

  function show(name) {
    for (const one of ["start", "ask", "end"]) byId(one).hidden = one !== name;
    byId("count").hidden = byId("progress").hidden = name === "start";
    if (name !== "ask") clear();
  }
  function progress(done) {
    const all = questions().length;
    byId("count").textContent = `${Math.min(done + 1, all)} of ${all}`;
    byId("progress").max = all;
    byId("progress").value = done;
  }

  function ask(number) {
    at = number;
    const [name, order] = questions()[at], { attribute, source, driving } = study.questions[name];
    show("ask");
    progress(at);
    [byId("question").textContent, byId("hint").textContent] = TEXTS[attribute];
    clear();
    fault = "";
    byId("source").src = `media/${source}.jpg`;
    byId("driving").src = `media/${driving}.mp4`;
    const box = byId("options");
    box.dataset.number = order.length;
    order.forEach((one, place) => box.append(option(one, place)));
    byId("back").disabled = at === 0;
    byId("next").textContent = at + 1 === questions().length ? "Finish" : "Next";
    videos = [byId("driving"), ...box.querySelectorAll("video")];
    mark();
    begin(videos);
    byId("question").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  function option(name, place) {
    const label = document.createElement("label"), radio = document.createElement("input"), video = document.createElement("video"), text = document.createElement("span");
    label.className = "option";
    Object.assign(radio, { type: "radio", name: "choice", value: String(place) });
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: `media/${name}.mp4`, onerror: broken });
    text.textContent = String.fromCharCode(65 + place);
    radio.addEventListener("change", () => choose(name));
    label.append(radio, video, text);
    return label;
  }
  function broken(event) {
    if (event.target !== byId("source") && !videos.includes(event.target)) return; // of the question before
    fault = "A video of this question cannot be played. Please choose “Cannot decide”, and report it to the person who invited you.";
    mark();
  }

  /* All videos of a question play in step: they begin together when all are loaded, and repeat when all have ended. */
  function clear() {
    videos.forEach((one) => one.pause());
    videos = [];
    document.querySelectorAll("#options .option").forEach((one) => one.remove());
  }
  function begin(own) {
    const loaded = (one) => one.readyState >= 3 ? null : new Promise((done) => { for (const kind of ["canplay", "error"]) one.addEventListener(kind, done, { once: true }); });
    Promise.race([Promise.all(own.map(loaded)), new Promise((done) => { setTimeout(done, PATIENCE); })]).then(() => { if (own === videos) { document.body.dataset.loaded = questions()[at][0]; restart(); } });
    own.forEach((one) => { one.onended = () => { if (own === videos && playing && own.every((each) => each.ended || each.error || each.readyState < 2)) setTimeout(() => own === videos && playing && restart(), 350); }; });
  }
  function restart() {
    videos.forEach((one) => { one.currentTime = 0; });
    if (playing) run();
  }
  function run() {
    Promise.all(videos.filter((one) => !one.error && !one.ended).map((one) => one.play())).catch((error) => { if (error.name === "NotAllowedError") setPlaying(false); });
  }
  function setPlaying(now) {
    playing = now;
    byId("play").textContent = playing ? "Pause" : "Play";
    if (!playing) videos.forEach((one) => one.pause());
  }
  function toggle() {
    setPlaying(!playing);
    if (playing) { if (videos.every((one) => one.ended)) restart(); else run(); }
  }

  function finish() {
    show("end");
    progress(questions().length);
    byId("thanks").textContent = "Thank you. All questions are answered.";
    report();
    byId("thanks").focus({ preventScroll: true });
  }
  const message = (votes) => ({ study: study.study, rater: state.rater, sheet, votes });
  const every = () => Object.entries(state.votes).map(([question, vote]) => ({ question, ...vote }));
  const unsent = () => every().filter((one) => state.sent[one.question] !== one.at);

  function report() {
    const left = unsent().length, sent = served() && !refused && left === 0;
    byId("state").textContent = sent ? "All your answers were sent. You can close this page." : "";
    byId("instruction").textContent = sent ? "" : served() && !refused ? `${left} answers are not sent yet. Keep this page open, or save them to a file.`
      : `${refused ? `${refused} ` : ""}Please save your answers to a file, and send the file to the person who invited you.`;
    byId("retry").hidden = !served() || sent;
    byId("save").classList.toggle("primary", !sent);
  }
  async function send() {
    if (!served() || sending) return;
    const votes = unsent();
    if (!votes.length) return;
    sending = true;
    try {
      const reply = await fetch("votes", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message(votes)) });
      refused = reply.ok ? "" : SETTLED.includes(reply.status) ? "This server does not collect answers." : "The server did not take your answers.";
      if (reply.ok) { votes.forEach((one) => { state.sent[one.question] = one.at; }); keep(); }
    } catch { /* not reached: sent again after the next answer, and every few seconds */ }
    sending = false;
    if (!byId("end").hidden) report();
  }
  function save() {
    const link = document.createElement("a"), text = JSON.stringify(message(every()), null, 1);
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `answers-${study.study.slice(0, 6)}-${sheet}-${state.rater.slice(0, 6)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    byId("state").textContent = `Your answers are in the file ${link.download}.`;
  }

  function next() {
    if (byId("next").disabled) return;
    send();
    if (at + 1 < questions().length) ask(at + 1); else finish();
  }
  function enter(number) {
    sheet = number;
    load();
    history.replaceState(null, "", `#sheet=${sheet}`);
    const open = questions().findIndex(([name]) => !state.votes[name]);
    send();
    if (open < 0) finish(); else ask(open);
  }
  function route() {
    const found = /^#sheet=([1-9][0-9]{0,5})$/.exec(location.hash);
    if (found && Number(found[1]) <= study.sheets.length) enter(Number(found[1])); else show("start");
  }

  document.title = byId("title").textContent = study.title;
  byId("number").textContent = study.sheets[0].length;
  byId("most").textContent = byId("sheet").max = study.sheets.length;
  byId("enter").addEventListener("submit", (event) => { event.preventDefault(); enter(Number(byId("sheet").value)); });
  byId("neither").addEventListener("click", () => choose(""));
  byId("next").addEventListener("click", next);
  byId("back").addEventListener("click", () => { send(); if (at > 0) ask(at - 1); });
  byId("play").addEventListener("click", toggle);
  byId("save").addEventListener("click", save);
  byId("retry").addEventListener("click", send);
  byId("review").addEventListener("click", () => ask(0));
  byId("driving").addEventListener("error", broken);
  byId("source").addEventListener("error", broken);
  document.addEventListener("keydown", (event) => {
    if (byId("ask").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const options = document.querySelectorAll("#options input");
    if (/^[1-9]$/.test(event.key) && options[Number(event.key) - 1]) options[Number(event.key) - 1].click();
    else if (event.key === "0") choose("");
    else if (event.key === "Enter" && event.target.tagName !== "BUTTON") next();
  });
  addEventListener("hashchange", route);
  setInterval(() => { if (state && refused === "") send(); }, 5000);
  route();
})();
