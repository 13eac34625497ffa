// Search: by the words that are typed, their endings aside, and by those that mean the same
// (synonyms.txt). Results stand in groups, one for each page. The index, search.js, is loaded when
// the field is first used; its texts go to the page as text only, never as HTML.
(() => {
  "use strict";

  const PAGES = 8; // that are shown
  const SECTIONS = 3; // of each
  const WEIGHT = {
    ...{ title: 6, page: 1, section: 5, text: 1 },
    ...{ synonym: 0.5, apart: 0.4, exact: 2, usual: 0.7 },
  };
  const FOLDERS = { lessons: 1.5, guides: 1.5, "": 1.7 }; // others: 1
  const NAMES = {
    lessons: "Lesson",
    guides: "Guide",
    pocket: "The pocket universe",
    lab: "The lab",
  };
  const STOPWORDS = new Set(
    (
      "a an and are as at be but by can could did do does for from get had has have how i if in" +
      " into is it its me my of on or our should so take that the their them then there these" +
      " they this to use was we were what when where which who why will with would you your"
    ).split(" "),
  );

  // ---- words

  // The same length, so that places in it are places in the text
  const plain = (text) => {
    const lower = text.toLowerCase();
    const same = lower.length === text.length ? lower : text;
    return same.replace(/[^\p{L}\p{N}]/gu, (sign) => " ".repeat(sign.length));
  };
  const wordsOf = (text) => plain(text).split(" ").filter(Boolean);
  const joined = (text) => wordsOf(text).join(" ");

  // What is left of a word without its ending: words that begin with it are taken for the same
  const stem = (word) => {
    const end = /(ings?|ed|(?<=s|x|z|ch|sh)es|s)$/.exec(word);
    if (!end || word.length - end[0].length < 3 || word.endsWith("ss")) return word;
    const rest = word.slice(0, -end[0].length);
    return /([bdfgklmnprt])\1$/.test(rest) ? rest.slice(0, -1) : rest;
  };
  const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = (words) =>
    new RegExp(
      "(?<![\\p{L}\\p{N}])" + words.map((word) => escaped(stem(word))).join("[\\p{L}\\p{N}]* +"),
      "gu",
    );
  const alternative = (words, weight) => ({
    weight,
    patterns: [pattern(words)],
    sign: stem(words[0]), // a text without it need not be searched
  });
  // The words in any place, such as `labels ... wrong`
  const apart = (words) => ({
    weight: WEIGHT.apart,
    patterns: words.map((word) => pattern([word])),
    sign: stem(words[0]),
  });

  // ---- what a query asks for: units, each with words that would do

  const sameWords = (one, other) =>
    one.length === other.length && one.every((word, i) => stem(word) === stem(other[i]));

  // The longest run of words from `at` on that stands in a group, with the words of that group
  const known = (words, at, groups) => {
    for (let length = Math.min(5, words.length - at); length > 0; length--) {
      const run = words.slice(at, at + length);
      const others = groups.filter((group) => group.some((phrase) => sameWords(phrase, run)));
      if (others.length) return { run, others: others.flat() };
    }
    return null;
  };

  const unitsOf = (query, groups) => {
    const words = [];
    for (const token of query.split(/\s+/)) {
      const parts = wordsOf(token); // of `fit_probe` or `top-k`, which stay together
      parts.forEach((word, i) => words.push({ word, together: parts.slice(i) }));
    }
    const plainWords = words.map(({ word }) => word);
    const units = [];
    for (let at = 0; at < words.length; ) {
      const found = known(plainWords, at, groups);
      const run = found ? found.run : words[at].together;
      at += run.length;
      if (!found && run.length === 1 && STOPWORDS.has(run[0])) continue;
      const others = found ? found.others.filter((phrase) => !sameWords(phrase, run)) : [];
      const unit = [alternative(run, 1), ...others.map((one) => alternative(one, WEIGHT.synonym))];
      const telling = run.filter((word) => !STOPWORDS.has(word));
      if (telling.length > 1) unit.push(apart(telling));
      units.push(unit);
    }
    return units.length ? units : plainWords.map((word) => [alternative([word], 1)]);
  };

  // ---- how well a section answers

  const count = (text, { patterns, sign }) =>
    text.includes(sign)
      ? Math.min(...patterns.map((one) => (text.match(one) || []).length))
      : 0;

  const strength = (entry, unit) => {
    let best = 0;
    for (const one of unit) {
      const often = count(entry.plain.text, one);
      const length = 1 + Math.log1p(entry.text.length / 800);
      const sum =
        (count(entry.plain.title, one) ? WEIGHT[entry.section ? "page" : "title"] : 0) +
        (count(entry.plain.section, one) ? WEIGHT.section : 0) +
        (often ? (WEIGHT.text * (1 + Math.log(often))) / length : 0);
      best = Math.max(best, one.weight * sum);
    }
    return best;
  };

  const folderOf = (href) => (href.includes("/") ? href.split("/")[0] : "");

  const search = (query, { entries, groups, headings }) => {
    const units = unitsOf(query, groups);
    const table = units.map((unit) => entries.map((entry) => strength(entry, unit)));
    const rarity = table.map((row) => {
      const found = row.filter(Boolean).length;
      return found ? Math.log(1 + entries.length / found) : 0;
    });
    const asked = query.toLowerCase();
    const hits = entries.map((entry, i) => {
      const answered = table.filter((row) => row[i]).length / units.length;
      const sum = table.reduce((total, row, u) => total + row[i] * rarity[u], 0);
      let factor = FOLDERS[folderOf(entry.href)] || 1;
      if ((entry.section || entry.title).toLowerCase() === asked) factor *= WEIGHT.exact;
      if (headings.get(entry.section) > 5) factor *= WEIGHT.usual; // such as Exercises
      return { entry, answered, score: sum * answered * answered * factor };
    });
    const most = Math.max(0, ...hits.map((hit) => hit.answered));
    const kept = hits.filter((hit) => hit.score && hit.answered >= most / 2);
    return { units, pages: byPage(kept), all: !rarity.includes(0) };
  };

  const byPage = (hits) => {
    const pages = new Map();
    for (const hit of hits.sort((one, other) => other.score - one.score)) {
      const address = hit.entry.href.split("#")[0];
      if (!pages.has(address)) pages.set(address, { address, hits: [] });
      pages.get(address).hits.push(hit);
    }
    const score = ({ hits: [first, ...others] }) =>
      first.score + 0.15 * others.slice(0, 2).reduce((sum, hit) => sum + hit.score, 0);
    return [...pages.values()].sort((one, other) => score(other) - score(one));
  };

  // ---- a word that nobody wrote

  const distance = (one, other) => {
    let row = Array.from({ length: other.length + 1 }, (_, j) => j);
    let before = null;
    for (let i = 1; i <= one.length; i++) {
      const next = [i];
      for (let j = 1; j <= other.length; j++) {
        const same = one[i - 1] === other[j - 1];
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1));
        const crossed = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
        const swapped = i > 1 && j > 1 && crossed;
        if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      [before, row] = [row, next];
    }
    return row[other.length];
  };

  // The query with each word that stands on no page replaced by the nearest that does
  const mended = (query, { vocabulary }) => {
    const nearest = (word) => {
      const start = stem(word);
      if (word.length < 4 || STOPWORDS.has(word)) return word;
      if ([...vocabulary.keys()].some((one) => one.startsWith(start))) return word;
      const allowed = word.length < 8 ? 1 : 2;
      let best = { word, off: allowed + 1, often: 0 };
      for (const [one, often] of vocabulary) {
        if (Math.abs(one.length - word.length) > allowed) continue;
        const off = distance(word, one);
        const nearer = off < best.off || (off === best.off && often > best.often);
        if (nearer) best = { word: one, off, often };
      }
      return best.word;
    };
    return wordsOf(query).map(nearest).join(" ");
  };

  // ---- the index

  const offset = document.querySelector('meta[name="smalldocs:offset"]').content;
  let loading = null;
  const load = () => {
    loading ||= new Promise((done, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: `${offset}search.js`, onload: done, onerror: failed });
      document.head.append(script);
    }).then(() => {
      const entries = window.searchIndex;
      const vocabulary = new Map();
      const headings = new Map();
      const add = (table, key) => table.set(key, (table.get(key) || 0) + 1);
      for (const entry of entries) {
        entry.plain = {};
        for (const part of ["title", "section", "text"]) entry.plain[part] = plain(entry[part]);
        for (const word of wordsOf(`${entry.title} ${entry.section} ${entry.text}`))
          add(vocabulary, word);
        if (entry.section) add(headings, entry.section);
      }
      const groups = window.searchSynonyms.map((group) => group.map(wordsOf));
      return { entries, groups, headings, vocabulary };
    });
    return loading;
  };

  // ---- the page

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  const places = (text, units) => {
    const low = plain(text);
    const found = [];
    for (const one of units.flat().flatMap(({ patterns }) => patterns))
      for (const match of low.matchAll(one)) {
        let end = match.index + match[0].length;
        while (end < low.length && low[end] !== " ") end++;
        found.push([match.index, end]);
      }
    return found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  };

  const marked = (text, units) => {
    const parts = [];
    let at = 0;
    for (const [start, end] of places(text, units)) {
      if (start < at) continue;
      parts.push(text.slice(at, start), make("mark", {}, text.slice(start, end)));
      at = end;
    }
    return [...parts, text.slice(at)];
  };

  // 160 letters in which most is found
  const snippet = (text, units) => {
    const starts = places(text, units).map(([start]) => start);
    let best = 0;
    let most = 0;
    for (const start of starts) {
      const inside = starts.filter((one) => one >= start && one < start + 120).length;
      if (inside > most) [most, best] = [inside, start];
    }
    const from = best < 60 ? 0 : text.indexOf(" ", best - 40) + 1;
    return [from ? "…" : "", ...marked(text.slice(from, from + 160), units)];
  };

  const kind = (address) => {
    const parts = address.split("/").slice(0, -1);
    return [NAMES[parts[0]] || parts[0] || "", ...parts.slice(1)].filter(Boolean).join(" · ");
  };

  const option = (href, cls, ...children) =>
    make(
      "a",
      {
        class: cls,
        href: offset + href,
        role: "option",
        "aria-selected": "false",
        tabindex: "-1",
      },
      ...children,
    );

  const group = ({ address, hits }, units) => {
    const { title } = hits[0].entry;
    const head = hits.find((hit) => !hit.entry.section);
    const sections = hits.filter((hit) => hit.entry.section).slice(0, SECTIONS);
    const first = option(
      address,
      "find-page",
      make("span", { class: "find-title" }, ...marked(title, units)),
      make("span", { class: "find-kind" }, kind(address)),
    );
    if (head && !sections.length)
      first.append(make("span", { class: "find-text" }, ...snippet(head.entry.text, units)));
    const others = sections.map(({ entry }) =>
      option(
        entry.href,
        "find-section",
        make("span", { class: "find-title" }, ...marked(entry.section, units)),
        make("span", { class: "find-text" }, ...snippet(entry.text, units)),
      ),
    );
    return make("div", { role: "group", "aria-label": title }, first, ...others);
  };

  const install = (box, number) => {
    const input = box.querySelector("input");
    const panel = box.querySelector(".smalldocs-search-results");
    const id = `find-${number}`;
    const note = make("div", { class: "find-note", role: "status" });
    const list = make("div", { id, role: "listbox", "aria-label": "Search results" });
    panel.append(note, list);
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-expanded": "false",
      "aria-controls": id,
      "aria-autocomplete": "list",
    }))
      input.setAttribute(name, value);

    let active = -1;
    const options = () => [...list.querySelectorAll("[role=option]")];
    const open = (shown) => {
      panel.classList.toggle("show", shown);
      input.setAttribute("aria-expanded", String(shown));
      if (!shown) choose(-1);
    };
    const choose = (at) => {
      active = at;
      options().forEach((one, i) => one.setAttribute("aria-selected", String(i === at)));
      if (at < 0) input.removeAttribute("aria-activedescendant");
      else {
        input.setAttribute("aria-activedescendant", options()[at].id);
        options()[at].scrollIntoView({ block: "nearest" });
      }
    };

    const show = ({ units, pages }, words) => {
      const groups = pages.slice(0, PAGES).map((page) => group(page, units));
      list.replaceChildren(...groups);
      options().forEach((one, i) => (one.id = `${id}-${i}`));
      note.textContent = words;
      open(true);
      list.scrollTop = 0;
    };

    const run = async () => {
      const query = input.value.trim();
      if (query.length < 2) return open(false);
      let index;
      try {
        index = await load();
      } catch {
        return show({ units: [], pages: [] }, "The search index could not be loaded.");
      }
      if (query !== input.value.trim()) return; // typed on meanwhile
      const found = search(query, index);
      const better = found.all ? query : mended(query, index);
      if (better !== joined(query) && better !== query) {
        const instead = search(better, index);
        const told = `Nothing for “${query}”. For “${better}”:`;
        if (instead.pages.length) return show(instead, told);
      }
      const n = found.pages.length;
      show(found, n ? `${n} ${n === 1 ? "page" : "pages"}` : `Nothing for “${query}”.`);
    };

    let timer = null;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(run, 120);
    });
    input.addEventListener("focus", () => {
      load().catch(() => {});
      if (input.value.trim().length > 1) run();
    });
    input.addEventListener("keydown", (event) => {
      const n = options().length;
      const shown = panel.classList.contains("show");
      if (event.key === "Tab") {
        open(false);
      } else if (event.key === "Escape") {
        if (shown) event.preventDefault(); // the words stay
        open(false);
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (!shown) run();
        else if (n) {
          const down = event.key === "ArrowDown";
          choose(down ? (active + 1) % n : (Math.max(active, 0) - 1 + n) % n);
        }
      } else if (event.key === "Enter" && shown && n) {
        event.preventDefault();
        options()[Math.max(active, 0)].click();
        open(false);
      }
    });
    box.addEventListener("focusout", (event) => {
      if (!box.contains(event.relatedTarget)) open(false);
    });
    // the field keeps the focus
    panel.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", () => open(false));
  };

  document.querySelectorAll(".smalldocs-search").forEach(install);
})();
