// Filters for the ledger: part, kind and state. Without this script the page is the whole list.
(() => {
  "use strict";
  const STATES = ["held", "open", "red", "planned"];

  function choice(form, name, label, values) {
    const box = document.createElement("label");
    box.append(`${label} `);
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    box.append(select);
    form.append(box);
    return select;
  }

  function start() {
    const home = document.querySelector("[data-ibkit-ledger]");
    if (!home) return;
    const lists = [...document.querySelectorAll("ul.ibkit-ledger")];
    const claims = [...document.querySelectorAll(".ibkit-claim-list > li")];
    const kinds = [...new Set(claims.map((claim) => claim.dataset.kind))].sort();
    const form = document.createElement("form");
    const part = choice(form, "part", "Part", lists.map((list) => list.dataset.part));
    const kind = choice(form, "kind", "Kind of claim", kinds);
    const state = choice(form, "state", "State", STATES);
    const clear = document.createElement("button");
    clear.type = "reset";
    clear.textContent = "Show all";
    const count = document.createElement("output");
    form.append(clear, count);
    home.append(form);

    function fits(claim) {
      return (!kind.value || claim.dataset.kind === kind.value) && (!state.value || claim.dataset.state === state.value);
    }

    function show() {
      const filtered = kind.value || state.value;
      let papers = 0;
      let shown = 0;
      for (const list of lists) {
        const here = !part.value || list.dataset.part === part.value;
        let any = 0;
        for (const row of list.children) {
          const inside = [...row.querySelectorAll(".ibkit-claim-list > li")];
          for (const claim of inside) claim.hidden = !fits(claim);
          const matching = inside.filter(fits).length;
          const planned = row.dataset.states === "planned" && !kind.value && (!state.value || state.value === "planned");
          const keep = here && (planned || (inside.length ? matching > 0 : !filtered && !planned));
          row.hidden = !keep;
          any += keep;
          shown += keep ? matching : 0;
          const fold = row.querySelector("details");
          if (fold && keep && (filtered || fold.dataset.opened)) {
            fold.open = Boolean(filtered);
            fold.dataset.opened = filtered ? "1" : "";
          }
        }
        papers += any;
        list.parentElement.hidden = any === 0;
      }
      count.textContent = `${papers} ${papers === 1 ? "paper" : "papers"}, ${shown} ${shown === 1 ? "claim" : "claims"}`;
    }

    form.addEventListener("input", show);
    form.addEventListener("reset", () => setTimeout(show));
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
