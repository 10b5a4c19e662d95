// Keyboard commands. They can be switched off, and do nothing while a field has the focus.
"use strict";
toonbench.keys = (commands) => {
  const box = document.getElementById("keys");
  const FIELDS = "input:not([type=checkbox]):not([type=range]), select, textarea";
  document.addEventListener("keydown", (event) => {
    if (!box.checked || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(FIELDS)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === " " && event.target.closest("button, summary, a, input")) return; // the element's own key
    const command = commands[event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${key}` : key];
    if (!command) return;
    event.preventDefault();
    command();
  });
};
