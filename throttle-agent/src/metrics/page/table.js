// Tables that keep their rows from one sample to the next, so that focus and selection stay.

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A sortable table.
 *
 * A column has a title, a class, `cell(row)`, and `by(row)` where it can be sorted. What `cell`
 * returns is text, or { text, href, title, share, tone }: `share` from 0 to 1 draws a bar.
 */
export class Table {
  constructor(place, columns, { key, empty, sort, most = Infinity }) {
    Object.assign(this, { columns, key, sort, most, rows: [], lines: new Map() });
    this.body = make("tbody");
    this.heads = columns.map((column, index) => this.head(column, index));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    this.nothing = make("p", { className: "words", textContent: empty, hidden: true });
    place.replaceChildren(table, this.nothing);
    this.table = table;
  }

  head(column, index) {
    const th = make("th", { scope: "col", className: column.kind ?? "" });
    if (!column.by) {
      th.textContent = column.title;
      return th;
    }
    const button = make("button", { type: "button", textContent: column.title });
    button.title = `Sort by ${column.title.toLowerCase()}`;
    button.addEventListener("click", () => {
      const again = this.sort?.index === index;
      this.sort = { index, rising: again ? !this.sort.rising : Boolean(column.rising) };
      this.draw();
    });
    th.append(button);
    return th;
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  draw() {
    this.table.hidden = this.rows.length === 0;
    this.nothing.hidden = this.rows.length > 0;
    const sorted = this.sorted().slice(0, this.most);
    const seen = new Set();
    sorted.forEach((row, place) => {
      const key = this.key(row);
      seen.add(key);
      const line = this.lines.get(key) ?? this.addLine(key);
      this.columns.forEach((column, index) => fill(line.cells[index], column.cell(row)));
      if (this.body.children[place] !== line) {
        this.body.insertBefore(line, this.body.children[place] ?? null);
      }
    });
    for (const [key, line] of this.lines) {
      if (!seen.has(key)) {
        line.remove();
        this.lines.delete(key);
      }
    }
  }

  sorted() {
    this.heads.forEach((head, index) => {
      const rising = this.sort?.index === index ? this.sort.rising : null;
      if (rising === null) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    });
    if (!this.sort) return this.rows;
    const { index, rising } = this.sort;
    const by = this.columns[index].by;
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const compare = (one, other) =>
      (rising ? 1 : -1) * order(by(one), by(other)) || order(this.key(one), this.key(other));
    return [...this.rows].sort(compare);
  }

  addLine(key) {
    const line = make("tr");
    for (const column of this.columns) line.append(make("td", { className: column.kind ?? "" }));
    this.lines.set(key, line);
    return line;
  }
}

function fill(cell, content) {
  const { text, href, title = "", share, tone = "" } =
    typeof content === "object" ? content : { text: content };
  if (!cell.firstChild) {
    cell.append(href ? make("a") : make("span"));
    if (share !== undefined) {
      cell.append(make("i", { className: "bar" }, make("b")), make("small"));
    }
  }
  setText(cell.firstChild, text);
  if (href && cell.firstChild.getAttribute("href") !== href) cell.firstChild.href = href;
  if (cell.title !== title) cell.title = title;
  const bar = cell.querySelector(".bar");
  if (!bar) return;
  bar.hidden = share === null;
  bar.dataset.tone = tone;
  bar.firstChild.style.width = `${Math.min(share ?? 0, 1) * 100}%`;
  setText(cell.lastChild, share === null ? "" : `${Math.round(share * 100)}%`);
}

/** Puts names and values into a list of definitions. */
export function define(list, entries) {
  entries.forEach(([name, value, tone = ""], index) => {
    const pair = list.children[index]
      ?? list.appendChild(make("div", {}, make("dt"), make("dd")));
    setText(pair.firstChild, name);
    setText(pair.lastChild, value);
    pair.dataset.tone = tone;
  });
}

/** Draws values from 0 to `most` as a line from left to right; the newest is at the right. */
export function drawLine(svg, name, values, length, most) {
  const space = "http://www.w3.org/2000/svg";
  const line = svg.querySelector(`.${name}`)
    ?? svg.appendChild(document.createElementNS(space, "polyline"));
  line.setAttribute("class", name);
  const x = (index) => 120 - ((values.length - 1 - index) * 120) / (length - 1);
  const y = (value) => 31 - (value / Math.max(most, 1)) * 30;
  line.setAttribute("points", values.map((value, index) => `${x(index)},${y(value)}`).join(" "));
}
