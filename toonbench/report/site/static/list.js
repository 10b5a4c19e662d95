// The list of pairs: only the rows in view are in the document, so that it stays fast with many thousand pairs.
"use strict";
toonbench.List = (() => {
  const HEIGHT = 52;
  const MARGIN = 6;

  class List {
    constructor(root, { onChoose, fill }) {
      Object.assign(this, { root, onChoose, fill, items: [], chosen: -1 });
      this.space = document.createElement("div");
      this.space.className = "space";
      this.space.setAttribute("role", "presentation");
      root.append(this.space);
      root.addEventListener("scroll", () => this.draw(), { passive: true });
      addEventListener("resize", () => this.draw());
      root.addEventListener("click", (event) => {
        const row = event.target.closest("[data-at]");
        if (row) this.choose(Number(row.dataset.at));
      });
      root.addEventListener("keydown", (event) => {
        const page = Math.max(1, Math.floor(root.clientHeight / HEIGHT) - 1);
        const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
        if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        this.choose(Math.max(0, Math.min(this.items.length - 1, this.chosen + steps[event.key])));
      });
    }

    set(items, chosen) {
      this.items = items;
      this.chosen = items.indexOf(chosen);
      this.space.style.height = `${items.length * HEIGHT}px`;
      this.reveal();
      this.draw();
    }

    choose(at) {
      if (!this.items.length || at === this.chosen) return;
      this.chosen = at;
      this.reveal();
      this.draw();
      this.onChoose(this.items[at]);
    }

    mark(item) {
      this.chosen = this.items.indexOf(item);
      this.reveal();
      this.draw();
    }

    reveal() {
      if (this.chosen < 0) return;
      const top = this.chosen * HEIGHT;
      const { scrollTop, clientHeight } = this.root;
      if (top < scrollTop) this.root.scrollTop = top;
      else if (top + HEIGHT > scrollTop + clientHeight) this.root.scrollTop = top + HEIGHT - clientHeight;
    }

    draw() {
      const first = Math.max(0, Math.floor(this.root.scrollTop / HEIGHT) - MARGIN);
      const last = Math.min(this.items.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / HEIGHT) + MARGIN);
      const rows = [];
      for (let at = first; at < last; at += 1) {
        const row = document.createElement("div");
        row.className = "item";
        row.id = `pair-${at}`;
        row.dataset.at = at;
        row.style.top = `${at * HEIGHT}px`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", at === this.chosen);
        row.setAttribute("aria-posinset", at + 1);
        row.setAttribute("aria-setsize", this.items.length);
        this.fill(row, this.items[at]);
        rows.push(row);
      }
      this.space.replaceChildren(...rows);
      if (this.chosen >= first && this.chosen < last) this.root.setAttribute("aria-activedescendant", `pair-${this.chosen}`);
      else this.root.removeAttribute("aria-activedescendant");
    }
  }

  return List;
})();
