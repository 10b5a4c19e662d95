// Curves of metrics over frames, as SVG, with a cursor at the current frame. A click or a drag seeks.
"use strict";
toonbench.Charts = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 100;
  const WIDTH = 1000;

  function make(name, attributes = {}) {
    const one = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    return one;
  }

  /** Parts of a polyline: a frame that was not measured interrupts it. */
  function parts(values, place) {
    const found = [];
    let current = [];
    values.forEach((value, at) => {
      if (value === null) {
        if (current.length) found.push(current);
        current = [];
      } else current.push(place(at, value));
    });
    if (current.length) found.push(current);
    return found;
  }

  class Charts {
    constructor(root, { onSeek }) {
      Object.assign(this, { root, onSeek, charts: [], frames: 0 });
    }

    /** metrics: [{name, higher, places, curves}], methods: [{label, tone, dashed, visible}]. */
    set(metrics, methods, { frames, skip }) {
      Object.assign(this, { frames, skip, methods });
      this.root.replaceChildren();
      this.charts = metrics.map((one) => this.add(one));
    }

    x(frame) { return this.frames > 1 ? (frame / (this.frames - 1)) * WIDTH : WIDTH / 2; }

    add(metric) {
      const visible = metric.curves.filter((_, at) => this.methods[at].visible);
      const known = visible.flat().filter((one) => one !== null);
      const low = Math.min(...known);
      const high = Math.max(...known);
      const y = (value) => (high > low ? 6 + (1 - (value - low) / (high - low)) * (HEIGHT - 12) : HEIGHT / 2);
      const figure = document.createElement("figure");
      figure.className = "chart";
      const caption = document.createElement("figcaption");
      const name = document.createElement("bdi");
      name.textContent = metric.name;
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.textContent = metric.higher ? " ↑" : " ↓";
      const ends = document.createElement("span");
      ends.className = "ends";
      ends.textContent = known.length ? `${low.toFixed(metric.places)} to ${high.toFixed(metric.places)}` : "no frame was measured";
      caption.append(name, arrow, ends);
      const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
      svg.setAttribute("aria-label", `${metric.name} in each frame; the slider and the arrow keys move the cursor`);
      metric.curves.forEach((values, at) => {
        const method = this.methods[at];
        if (!method.visible) return;
        for (const points of parts(values, (index, value) => `${this.x(index + this.skip).toFixed(1)},${y(value).toFixed(1)}`)) {
          const line = make("polyline", { points: points.join(" "), class: `${method.tone}${method.dashed ? " dashed" : ""}` });
          svg.append(line);
        }
      });
      const cursor = make("line", { class: "cursor", y1: 0, y2: HEIGHT });
      svg.append(cursor);
      const seek = (event) => {
        const box = svg.getBoundingClientRect();
        this.onSeek(Math.round(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (this.frames - 1)));
      };
      svg.addEventListener("pointerdown", (event) => {
        svg.setPointerCapture(event.pointerId);
        seek(event);
      });
      svg.addEventListener("pointermove", (event) => event.buttons && seek(event));
      const readout = document.createElement("p");
      readout.className = "readout";
      readout.setAttribute("aria-hidden", "true");
      figure.append(caption, svg, readout);
      this.root.append(figure);
      const values = metric.curves
        .map((curve, at) => ({ curve, ...this.methods[at] }))
        .filter((one) => one.visible)
        .map((one) => {
          const cell = document.createElement("span");
          cell.className = one.tone;
          cell.title = one.label;
          readout.append(cell);
          return { cell, curve: one.curve };
        });
      return { cursor, values, places: metric.places };
    }

    at(frame) {
      const x = this.x(frame);
      for (const { cursor, values, places } of this.charts) {
        cursor.setAttribute("x1", x);
        cursor.setAttribute("x2", x);
        for (const { cell, curve } of values) {
          const value = curve[frame - this.skip];
          cell.textContent = value === undefined || value === null ? "–" : value.toFixed(places);
        }
      }
    }
  }

  return Charts;
})();
