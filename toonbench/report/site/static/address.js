// What the page shows, in its address: #pair=…&methods=a,b&frame=12&difference=1, so that a link leads to the same view.
"use strict";
toonbench.address = {
  read(hash = location.hash) {
    const found = new URLSearchParams(hash.slice(1));
    const frame = Number.parseInt(found.get("frame"), 10);
    return {
      pair: found.get("pair"),
      methods: found.has("methods") ? found.get("methods").split(",").filter(Boolean) : null,
      frame: Number.isInteger(frame) && frame >= 0 ? frame : 0,
      difference: found.get("difference") === "1",
      metric: found.get("metric"),
    };
  },
  write({ pair, methods, frame, difference, metric }) {
    const made = new URLSearchParams();
    if (pair) made.set("pair", pair);
    if (methods) made.set("methods", methods.join(","));
    if (metric) made.set("metric", metric);
    if (frame) made.set("frame", frame);
    if (difference) made.set("difference", "1");
    const hash = `#${made}`.replaceAll("%2C", ",");
    if (hash !== location.hash) history.replaceState(null, "", hash);
  },
};
