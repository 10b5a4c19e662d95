// Data as scripts: a page that is opened from a disk cannot fetch JSON. A file calls toonbench.receive(name, value).
"use strict";
const toonbench = (() => {
  const waiting = new Map(); // name -> resolve
  const known = new Map(); // name -> promise; the oldest are dropped
  const MOST = 60;

  function receive(name, value) {
    waiting.get(name)?.(value);
    waiting.delete(name);
  }

  function load(name, address) {
    if (known.has(name)) return known.get(name);
    const promise = new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        known.delete(name);
        reject(new Error(`${address} cannot be loaded: the site is incomplete`));
      };
      document.head.append(script);
    });
    known.set(name, promise);
    if (known.size > MOST) known.delete(known.keys().next().value);
    return promise;
  }

  return { receive, load };
})();
