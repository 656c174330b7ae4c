// The table of rows. Texts only ever become text nodes: nothing here makes markup from data, and the page's policy
// would refuse it. Only the rows in view are in the document, so 50,000 of them scroll like fifty.
(() => {
  const byId = (id) => document.getElementById(id);
  for (const element of document.querySelectorAll(".script-only")) element.hidden = false;
  const browser = byId("browser");
  if (!browser) return;

  const table = JSON.parse(byId("table").textContent);
  const succeeded = new Set(table.succeeded);
  const OWN = table.ours; // the inventory's own columns come after ours
  const place = Object.fromEntries(table.names.slice(0, OWN).map((name, index) => [name, index]));
  const isOneFile = table.files <= 1;
  const shown = [
    ["outcome", "Outcome"], ["name", "Name"], ["line", isOneFile ? "Line" : "Row"], ["job_id", "Job"], ["error", "Message"],
    ["attempts", "Attempts"], ["elapsed_ms", "Took"],
  ];
  const toTheRight = new Set(["attempts", "elapsed_ms"]);
  const OVERSCAN = 8, MOST_PRINTED = 300; // rows

  const columns = table.names.map(() => []);
  const haystack = []; // one text a row: all its cells, as they are searched
  let loaded = 0;
  let found = []; // numbers of the rows that match, in the order in which they are shown
  let current = -1; // a place in `found`
  const wanted = { text: "", filter: "", cause: null, sort: null, down: false };

  const view = byId("view"), canvas = byId("canvas"), status = byId("found");
  const pool = [];
  let rowHeight = 36;

  // Texts

  const { number, normal, time, took, base } = wording;
  const whence = (row) => `${base(columns[place.file][row] ?? "row")}:${columns[place.line][row]}`;
  const text = (name, row) => {
    const value = columns[place[name]][row];
    if (name === "line") return isOneFile ? String(value) : whence(row);
    if (value === null) return "";
    if (name === "outcome") return value.replace("_", " ");
    if (name === "elapsed_ms") return took(value);
    if (name === "first_sent_at" || name === "finished_at") return time(value);
    return String(value);
  };

  // Reading: a chunk at a time, so that the page answers meanwhile

  const chunks = Array.from(document.querySelectorAll("script.rows"));
  const read = () => {
    const chunk = chunks.shift();
    if (!chunk) return;
    const parts = JSON.parse(chunk.textContent);
    chunk.remove();
    parts.forEach((part, index) => {
      const column = columns[index];
      if (Array.isArray(part)) for (const value of part) column.push(value);
      else for (const at of part.i) column.push(at === null ? null : part.d[at]);
    });
    const before = loaded;
    loaded = columns[0].length;
    for (let row = before; row < loaded; row++) {
      const cells = [];
      for (const column of columns) if (column[row] !== null) cells.push(column[row]);
      cells.push(text("outcome", row), whence(row));
      haystack.push(normal(cells.join("\n")));
    }
    find(before);
    if (chunks.length) setTimeout(read, 0);
  };

  // Finding

  const matches = (row, words) => {
    const outcome = columns[place.outcome][row];
    if (wanted.cause) {
      const { outcome: ended, status: http, code } = wanted.cause;
      if (outcome !== ended || String(columns[place.http_status][row] ?? "") !== http) return false;
      if ((columns[place.error_code][row] ?? "") !== code) return false;
    } else if (wanted.filter === "failed") {
      if (succeeded.has(outcome)) return false;
    } else if (wanted.filter && outcome !== wanted.filter) return false;
    return words.every((word) => haystack[row].includes(word));
  };

  // `from`: rows before it are known already; only new ones are looked at.
  const find = (from = 0) => {
    const words = normal(wanted.text).split(/\s+/).filter(Boolean);
    if (from === 0) [found, current] = [[], -1];
    for (let row = from; row < loaded; row++) if (matches(row, words)) found.push(row);
    sort();
    if (from === 0) view.scrollTop = 0;
    const all = loaded < table.rows ? `, reading ${number(loaded)} of ${number(table.rows)}` : "";
    status.textContent = found.length === table.rows
      ? `${number(table.rows)} ${table.rows === 1 ? "row" : "rows"}`
      : `${number(found.length)} of ${number(table.rows)} rows${all}`;
    draw(true);
  };

  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const sort = () => {
    const column = wanted.sort === null ? null : columns[place[wanted.sort]];
    const sign = wanted.down ? -1 : 1;
    found.sort((a, b) => {
      if (column === null) return a - b;
      const x = column[a], y = column[b];
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1; // nothing comes last either way
      const order = typeof x === "number" ? x - y : compare(x, y);
      return order ? sign * order : a - b;
    });
  };

  // Drawing: a pool of elements moves along with the view

  const element = (tag, className, content) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (content !== undefined) made.textContent = content;
    return made;
  };

  const newRow = () => {
    const row = element("div", "row");
    row.setAttribute("role", "row");
    for (const [name] of shown) {
      const cell = element("div", `cell c-${name}${isOneFile ? " of-one-file" : ""}${toTheRight.has(name) ? " end" : ""}`);
      cell.setAttribute("role", "cell");
      row.append(cell);
    }
    return row;
  };

  const fill = (line, at) => {
    const row = found[at];
    line.dataset.at = at;
    line.className = at === current ? "row current" : "row";
    line.setAttribute("aria-rowindex", row + 2);
    line.style.transform = `translateY(${at * rowHeight}px)`;
    shown.forEach(([name], index) => {
      const cell = line.children[index];
      const content = text(name, row);
      if (name === "outcome") {
        cell.replaceChildren(element("span", `key of-${columns[place.outcome][row]}`), content);
      } else {
        cell.textContent = content;
        cell.title = content.length > 10 ? content : ""; // it may be cut
      }
    });
  };

  let drawn = [0, 0];
  const draw = (isNew = false) => {
    canvas.style.height = `${Math.max(found.length * rowHeight, 1)}px`;
    if (found.length === 0) {
      pool.length = 0;
      drawn = [0, 0];
      canvas.style.height = "70px";
      canvas.replaceChildren(element("div", "empty", loaded < table.rows ? "Reading …" : "No row matches."));
      return;
    }
    const first = Math.max(0, Math.floor(view.scrollTop / rowHeight) - OVERSCAN);
    const last = Math.min(found.length, Math.ceil((view.scrollTop + view.clientHeight) / rowHeight) + OVERSCAN);
    if (!isNew && first === drawn[0] && last === drawn[1]) return;
    show(first, last);
  };

  const show = (first, last) => {
    drawn = [first, last];
    while (pool.length < last - first) pool.push(newRow());
    pool.length = last - first;
    for (let at = first; at < last; at++) fill(pool[at - first], at);
    canvas.replaceChildren(...pool);
  };

  const measure = () => {
    rowHeight = matchMedia("(max-width: 760px)").matches ? 58 : 36;
    draw(true);
  };

  // One row, whole

  const detail = byId("detail"), list = byId("detail-list");
  const open = (at) => {
    const row = found[at];
    if (row === undefined) return;
    current = at;
    draw(true);
    byId("detail-title").textContent = text("name", row) || whence(row);
    list.replaceChildren();
    table.names.forEach((name, index) => {
      const value = columns[index][row];
      if (index === OWN) list.append(element("dt", "own", "From the inventory"));
      if (value === null || value === "") return;
      const isOurs = index < OWN;
      list.append(element("dt", "", name), element("dd", "", isOurs && name !== "line" ? text(name, row) : String(value)));
    });
    detail.showModal();
  };
  byId("close").addEventListener("click", () => detail.close());
  detail.addEventListener("click", (event) => {
    if (event.target === detail) detail.close(); // beside the box
  });

  // What people do

  const press = () => {
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(!wanted.cause && button.dataset.filter === wanted.filter));
    }
    const cause = byId("cause");
    cause.hidden = !wanted.cause;
    if (!wanted.cause) return;
    const { outcome, status: http, code } = wanted.cause;
    cause.textContent = [outcome.replace("_", " "), http && `HTTP ${http}`, code].filter(Boolean).join(" · ") + " ✕";
  };
  const filter = (word, cause = null) => {
    wanted.filter = word;
    wanted.cause = cause;
    press();
    find();
  };
  byId("filters").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) filter(button.dataset.filter ?? "");
  });
  for (const link of document.querySelectorAll("a[data-outcome]")) {
    link.addEventListener("click", () => {
      const { outcome, status: http, code } = link.dataset;
      byId("search").value = wanted.text = "";
      if (http === undefined) filter(outcome);
      else filter(outcome, { outcome, status: http, code });
    });
  }
  let waiting = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      wanted.text = event.target.value;
      find();
    }, 80);
  });

  const head = byId("head");
  for (const [name, label] of shown) {
    const cell = element("div", `cell c-${name}${isOneFile ? " of-one-file" : ""}${toTheRight.has(name) ? " end" : ""}`);
    const button = element("button", "", label);
    button.type = "button";
    cell.setAttribute("role", "columnheader");
    cell.append(button);
    head.append(cell);
    button.addEventListener("click", () => {
      if (wanted.sort !== name) [wanted.sort, wanted.down] = [name, toTheRight.has(name)];
      else if (wanted.down === toTheRight.has(name)) wanted.down = !wanted.down;
      else wanted.sort = null; // a third time: as in the inventory
      for (const other of head.children) other.removeAttribute("aria-sort");
      for (const [index, [other, title]] of shown.entries()) {
        const isIt = other === wanted.sort;
        head.children[index].firstChild.textContent = isIt ? `${title} ${wanted.down ? "↓" : "↑"}` : title;
      }
      if (wanted.sort !== null) cell.setAttribute("aria-sort", wanted.down ? "descending" : "ascending");
      find();
    });
  }

  view.addEventListener("scroll", () => draw(), { passive: true });
  view.addEventListener("click", (event) => {
    const line = event.target.closest(".row");
    if (line) open(Number(line.dataset.at));
  });
  view.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(view.clientHeight / rowHeight) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -found.length, End: found.length };
    if (event.key === "Enter") open(Math.max(0, current));
    else if (event.key in moves && found.length) {
      current = Math.min(found.length - 1, Math.max(0, current + moves[event.key]));
      const top = current * rowHeight;
      if (top < view.scrollTop) view.scrollTop = top;
      else if (top + rowHeight > view.scrollTop + view.clientHeight) view.scrollTop = top + rowHeight - view.clientHeight;
      draw(true);
    } else return;
    event.preventDefault();
  });
  addEventListener("resize", measure);
  addEventListener("beforeprint", () => {
    const count = Math.min(found.length, MOST_PRINTED);
    if (count) show(0, count);
    byId("printed").textContent = count < table.rows
      ? `Printed: ${number(count)} of ${number(table.rows)} rows. results.csv has all of them.` : "";
  });
  addEventListener("afterprint", () => {
    byId("printed").textContent = "";
    draw(true);
  });

  browser.hidden = false;
  measure();
  read();
})();
