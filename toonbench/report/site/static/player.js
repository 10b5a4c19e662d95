// Videos that play in step. Each video hands every frame that the browser presents (requestVideoFrameCallback) to a short
// memory of canvases, once it is sure which frame the picture is. The page shows the newest frame that all videos have, on all of
// them in the same animation frame. If a browser skips a frame of one video, that video shows the frame before: never more than
// one frame apart. If there is no such frame for a while, all videos are moved to the same one. The videos' own clocks are
// corrected towards a common one.
"use strict";
toonbench.Player = (() => {
  const MEMORY = 12; // frames of each video
  const PATIENCE = 2500; // milliseconds to wait for a frame
  const NEAR = 0.04; // seconds that a video may be early or late before its speed is corrected
  const FAR = 0.4; // seconds from which it is moved instead
  const SURE = 6; // milliseconds after a frame was presented in which no other one is
  const STUCK = 700; // milliseconds without a common frame, after which all videos are moved to one

  class Track {
    constructor(video, canvas, { fps, frames }) {
      Object.assign(this, { video, canvas, fps, frames, newest: -1, over: null });
      Object.assign(this, { memory: [], pending: null, spare: null });
      this.context = canvas.getContext("2d");
      this.alive = true;
      this.waiting = null;
      this.listen();
    }

    listen() {
      if (!this.alive) return;
      const { video } = this;
      if (video.requestVideoFrameCallback) {
        video.requestVideoFrameCallback((now, about) => {
          if (!this.alive) return;
          const index = Math.round(about.mediaTime * this.fps);
          this.confirm(index, about);
          this.receive(index, about);
          this.listen();
        });
      } else {
        requestAnimationFrame(() => {
          if (this.alive && video.readyState >= 2 && !video.seeking) this.take(Math.floor(video.currentTime * this.fps + 1e-3));
          this.listen();
        });
      }
    }

    /**
     * A frame that the browser says it presented. While a video plays on a busy machine, its picture may be a later one by the
     * time it is copied. A copy that is made at once is that frame; about a later copy, `confirm` decides.
     */
    receive(index, about) {
      if (this.video.paused) {
        if (!this.video.seeking) this.take(index);
        return;
      }
      const copy = this.copy(index);
      if (!copy) return;
      const at = performance.now();
      if (at - about.presentationTime < SURE) this.keep(copy);
      else this.pending = { copy, at, presented: about.presentedFrames };
    }

    /** With the next frame: which frames the copy before it can be. It is kept if these are one or two. */
    confirm(next, about) {
      const { pending } = this;
      this.pending = null;
      if (!pending) return;
      const { copy } = pending;
      const only = about.presentedFrames === pending.presented + 1 ? copy.index : next - 1;
      copy.last = about.presentationTime > pending.at ? only : next;
      if (copy.last >= copy.index && copy.last <= copy.index + 1) this.keep(copy);
      else this.spare = copy;
    }

    copy(index) {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (!width) return null;
      const one = this.spare || { canvas: document.createElement("canvas") };
      this.spare = null;
      if (one.canvas.width !== width || one.canvas.height !== height) Object.assign(one.canvas, { width, height });
      one.canvas.getContext("2d").drawImage(this.video, 0, 0);
      one.index = one.last = Math.min(this.frames - 1, Math.max(0, index)); // the copy is a frame from `index` to `last`
      return one;
    }

    keep(one) {
      this.memory.push(one);
      if (this.memory.length > MEMORY) this.spare = this.memory.shift();
      this.newest = one.last;
      this.waiting?.();
      this.onFrame?.();
    }

    /** Copy the picture of a video that stands still. */
    take(index) {
      const one = this.copy(index);
      if (one) this.keep(one);
      else this.newest = index;
    }

    clamp(index) { return Math.min(index, this.frames - 1); }

    find(index) {
      const wanted = this.clamp(index);
      return this.memory.findLast((one) => one.index === wanted && one.last === wanted);
    }

    /** The frame, or one that is it or the one before it. */
    near(index) {
      const exact = this.find(index);
      if (exact || this.clamp(index) !== index) return exact;
      return this.memory.findLast((one) => one.index >= index - 1 && one.last <= index);
    }

    draw(index) {
      const one = this.near(index);
      if (!one) return;
      const { canvas, context } = this;
      if (canvas.width !== one.canvas.width || canvas.height !== one.canvas.height) {
        Object.assign(canvas, { width: one.canvas.width, height: one.canvas.height });
      }
      context.globalCompositeOperation = "copy";
      context.drawImage(one.canvas, 0, 0);
      const other = this.over && this.over.near(index);
      if (other) {
        context.globalCompositeOperation = "difference";
        context.drawImage(other.canvas, 0, 0, canvas.width, canvas.height);
      }
      canvas.classList.toggle("difference", Boolean(other));
      canvas.hidden = false;
      canvas.dataset.frame = one.index;
    }

    /** Resolves when the frame is in memory. */
    async fetch(index) {
      const wanted = this.clamp(index);
      this.goal = wanted;
      this.pending = null;
      if (this.find(wanted)) return;
      const { video } = this;
      if (video.preload !== "auto") { video.preload = "auto"; video.load(); }
      const limit = performance.now() + PATIENCE;
      if (video.readyState < 1) await event(video, ["loadedmetadata", "error"], PATIENCE);
      video.currentTime = (wanted + 0.5) / this.fps;
      while (this.goal === wanted && !this.find(wanted) && this.alive && performance.now() < limit && !video.error) {
        await new Promise((resolve) => {
          this.waiting = resolve;
          setTimeout(resolve, 60);
        });
        const since = performance.now() - limit + PATIENCE;
        if (this.goal === wanted && !this.find(wanted) && !video.seeking && video.readyState >= 2 && since > 250) {
          this.take(wanted); // the browser shows the frame already, and therefore does not hand it over again
        }
      }
    }

    stop() {
      this.alive = false;
      this.video.pause();
      this.memory = [];
    }
  }

  function event(target, names, limit) {
    return new Promise((resolve) => {
      const done = () => {
        names.forEach((name) => target.removeEventListener(name, done));
        resolve();
      };
      names.forEach((name) => target.addEventListener(name, done));
      setTimeout(done, limit);
    });
  }

  class Player {
    constructor({ onFrame, onState }) {
      Object.assign(this, { onFrame, onState, tracks: [], frames: 0, fps: 25, frame: 0, rate: 1, loop: true, playing: false });
      this.turn = 0; // changes with every command, so that an older one that still waits is dropped
      this.tick = this.tick.bind(this);
    }

    /** Show other videos: [{video, canvas, fps, frames}]. */
    set(parts, { frames, fps, frame = 0 }) {
      this.turn += 1;
      this.tracks.forEach((one) => one.stop());
      this.tracks = parts.map((one) => new Track(one.video, one.canvas, one));
      for (const one of this.tracks) {
        one.onFrame = () => { // a frame that comes late, when the page no longer waits for it
          if (!this.playing && !this.busy && one.find(this.frame)) one.draw(this.frame);
        };
      }
      Object.assign(this, { frames, fps, frame: Math.min(frame, Math.max(0, frames - 1)), busy: false });
      this.say();
    }

    say() { this.onState({ playing: this.playing, busy: this.busy }); }

    present(frame) {
      this.frame = frame;
      this.tracks.forEach((one) => one.draw(frame));
      this.onFrame(frame);
    }

    async ready(frame) {
      const turn = ++this.turn;
      this.busy = true;
      this.say();
      this.tracks.forEach((one) => one.video.pause());
      await Promise.all(this.tracks.map((one) => one.fetch(frame)));
      if (turn !== this.turn) return false;
      this.busy = false;
      this.present(frame);
      this.say();
      return true;
    }

    async seek(frame) {
      this.frame = Math.max(0, Math.min(this.frames - 1, frame));
      this.onFrame(this.frame);
      this.wanted = this.frame;
      if (this.seeking) return; // the running one goes to the newest place when it is done
      this.seeking = true;
      const resume = this.playing;
      this.playing = false;
      while (this.wanted !== null) {
        const next = this.wanted;
        this.wanted = null;
        await this.ready(next);
      }
      this.seeking = false;
      if (resume) this.play();
    }

    async play() {
      if (this.playing || !this.tracks.length) return;
      this.playing = true;
      const start = this.frame >= this.frames - 1 ? 0 : this.frame;
      this.say();
      if (!(await this.ready(start)) || !this.playing) return;
      await this.begin(start);
    }

    /** All videos are paused at `frame`: let them run. */
    async begin(frame) {
      const turn = this.turn;
      this.shownAt = performance.now();
      this.tracks.forEach((one) => {
        one.newest = one.clamp(frame);
        one.video.playbackRate = this.rate;
        if (frame < one.frames - 1) one.video.play().catch(() => {});
      });
      this.from = { time: (frame + 0.5) / this.fps, at: performance.now() };
      if (turn === this.turn) requestAnimationFrame(this.tick);
    }

    pause() {
      this.playing = false;
      this.turn += 1;
      this.busy = false;
      this.tracks.forEach((one) => one.video.pause());
      this.say();
      if (this.tracks.length) this.ready(this.frame);
    }

    setRate(rate) {
      const now = performance.now();
      if (this.from) this.from = { time: this.time(now), at: now };
      this.rate = rate;
      this.tracks.forEach((one) => { one.video.playbackRate = rate; });
    }

    time(now) { return this.from.time + ((now - this.from.at) / 1000) * this.rate; }

    tick() {
      if (!this.playing || this.busy) return;
      const now = performance.now();
      const last = this.frames - 1;
      for (const one of this.tracks) {
        if ((one.video.ended || one.video.error) && one.newest < one.frames - 1) one.take(one.frames - 1);
      }
      for (let frame = this.newest(); frame > this.frame; frame -= 1) {
        if (!this.tracks.every((one) => one.video.error || one.near(frame))) continue;
        this.shownAt = now;
        this.present(frame);
        break;
      }
      this.correct(now);
      if (this.frame >= last && now - this.shownAt >= 900 / (this.fps * this.rate)) return this.end();
      if (now - this.shownAt > STUCK + 2000 / (this.fps * this.rate)) return this.align();
      requestAnimationFrame(this.tick);
    }

    /** The newest frame that all videos have reached. */
    newest() {
      const last = this.frames - 1;
      return Math.min(last, ...this.tracks.map((one) => (one.newest >= one.frames - 1 ? last : one.newest)));
    }

    /** Move all videos to the same frame, and let them run again. */
    async align() {
      const frame = Math.min(this.frames - 1, this.frame + 1);
      if (await this.ready(frame)) this.begin(frame);
    }

    /** Bring each video's clock to the common one; the common one waits for the slowest video. */
    correct(now) {
      const running = this.tracks.filter((one) => !one.video.ended && !one.video.paused);
      if (!running.length) return;
      let time = this.time(now);
      const slowest = Math.min(...running.map((one) => one.video.currentTime));
      if (time - slowest > FAR) {
        this.from = { time: slowest, at: now };
        time = slowest;
      }
      for (const { video } of running) {
        const ahead = video.currentTime - time;
        if (ahead > FAR) {
          video.currentTime = time;
        } else {
          const factor = ahead > NEAR ? 0.85 : ahead < -NEAR ? 1.18 : 1;
          const rate = Math.max(0.0625, this.rate * factor);
          if (video.playbackRate !== rate) video.playbackRate = rate;
        }
      }
    }

    async end() {
      if (!this.loop) return this.pause();
      if (await this.ready(0)) this.begin(0);
    }
  }

  return Player;
})();
