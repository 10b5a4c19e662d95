// The leaderboard: columns sort, rows are filtered. Without this script the table is complete and sorted by its first metric.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("leaderboard");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];

  function key(row, at, kind) {
    const text = row.cells[at].dataset.sort;
    if (kind === "text") return text || "";
    return text === undefined ? NaN : Number(text);
  }

  function sort(at) {
    const head = heads[at];
    const kind = head.dataset.kind;
    const best = kind === "text" || head.dataset.higher !== "true" ? "ascending" : "descending";
    const other = best === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === best ? other : best;
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [key(row, at, kind), row]);
    rows.sort(([a], [b]) => {
      if (kind === "text") return sign * a.localeCompare(b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // rows without a value are last
      return sign * (a - b);
    });
    rows.forEach(([, row]) => body.append(row));
  }

  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.setAttribute("aria-label", `Sort by ${head.querySelector(".head").innerText.replace(/[↑↓]/g, "").trim()}`);
    button.addEventListener("click", () => sort(at));
    head.append(button);
  });

  const form = document.getElementById("filter");
  const find = document.getElementById("find");
  const references = document.getElementById("references");
  const count = document.getElementById("count");
  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let visible = 0;
    for (const row of body.rows) {
      const name = row.cells[0].innerText.toLowerCase() + row.cells[0].dataset.sort;
      const wanted = words.every((word) => name.includes(word)) && (references.checked || !row.classList.contains("reference"));
      row.hidden = !wanted;
      visible += wanted;
    }
    count.textContent = visible === body.rows.length ? "" : `${visible} of ${body.rows.length}`;
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", filter);
  references.addEventListener("change", filter);
});
