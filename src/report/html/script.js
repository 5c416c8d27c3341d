"use strict";
(() => {
  const table = document.getElementById("classes");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const query = document.getElementById("query");
    const shown = document.getElementById("shown");
    const search = () => {
      const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) count += 1;
      }
      shown.textContent = `${count} of ${rows.length} shown`;
    };
    document.getElementById("tools").hidden = false;
    query.addEventListener("input", search);
    search();
    const heads = [...table.tHead.rows[0].cells];
    const sort = (head, column) => {
      const was = head.getAttribute("aria-sort");
      const numbers = rows.every((row) => row.cells[column].dataset.value !== undefined);
      const up = was ? was === "descending" : !numbers || head.hasAttribute("data-up");
      const key = (row) => {
        const cell = row.cells[column];
        return numbers ? Number(cell.dataset.value) : cell.textContent;
      };
      const order = (a, b) => (numbers ? key(a) - key(b) : key(a).localeCompare(key(b)));
      rows.sort((a, b) => (up ? order(a, b) : order(b, a)));
      body.append(...rows);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(head, column));
    });
  }
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    const details = target && target.closest("details");
    if (details) {
      details.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
