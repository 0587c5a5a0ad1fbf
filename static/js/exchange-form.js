/**
 * The exchange form: asks the server for the price while a person types, keeps it fresh, and checks addresses.
 *
 * All arithmetic is the server's; this script only carries amounts there and shows what comes back.
 */
"use strict";

window.nexchange = window.nexchange || {};

nexchange.mountExchangeForm = (form) => {
  const TYPING_MS = 300;
  const RETRY_MS = 5000;
  const fields = { send: form.elements.send, get: form.elements.get };
  const token = form.elements.quote;
  let typing = 0;
  let renewing = 0;
  let asked = 0; // the number of the latest question: older answers are ignored
  let pending = Promise.resolve();

  const slot = (name) => form.querySelector(`[data-error-for="${name}"]`);

  function showError(name, message) {
    const place = slot(name) || slot("form");
    place.textContent = message || "";
    place.hidden = !message;
    const input = form.elements[name];
    if (input) {
      input.toggleAttribute("aria-invalid", Boolean(message));
      if (message) {
        input.setAttribute("aria-invalid", "true");
      }
      input.closest("[data-field]").classList.toggle("is-wrong", Boolean(message));
    }
  }

  function clearErrors() {
    ["send", "get", "form"].forEach((name) => showError(name, ""));
  }

  function renewIn(delayMs) {
    clearTimeout(renewing);
    renewing = setTimeout(() => {
      if (document.hidden) {
        document.addEventListener("visibilitychange", () => ask(), { once: true });
      } else {
        ask();
      }
    }, delayMs);
  }

  function showQuote(side, quote, isRenewal) {
    const other = side === "send" ? "get" : "send";
    clearErrors();
    token.value = quote.token;
    fields[other].value = quote[other];
    if (document.activeElement !== fields[side]) {
      fields[side].value = quote[side];
    }
    form.querySelectorAll("[data-bound]").forEach((button) => {
      button.querySelector("b").textContent = quote[button.dataset.bound];
    });
    form.querySelector("[data-breakdown]").innerHTML = quote.breakdown;
    if (!isRenewal) {
      form.querySelector("[data-spoken]").textContent = quote.spoken;
    }
    nexchange.clocks.tick();
    renewIn(quote.expires_in_ms);
  }

  function showRefusal(side, refusal) {
    const other = side === "send" ? "get" : "send";
    clearErrors();
    fields[other].value = "";
    form.querySelector("[data-breakdown]").replaceChildren();
    showError(refusal.field, refusal.message);
    if (["rate_unavailable", "liquidity_short", "rate_limited"].includes(refusal.code)) {
      renewIn(RETRY_MS);
    }
  }

  async function fetchQuote(side, isRenewal, amount) {
    asked += 1;
    const mine = asked;
    const query = new URLSearchParams({ pair: form.elements.pair.value, side, amount });
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${form.dataset.quoteUrl}?${query}`, { headers: { Accept: "application/json" } });
      const body = await answer.json();
      if (mine !== asked) {
        return;
      }
      if (answer.ok) {
        showQuote(side, body, isRenewal);
      } else {
        showRefusal(side, body);
      }
    } catch (error) {
      if (mine === asked) {
        showError("form", form.dataset.offline);
        renewIn(RETRY_MS);
      }
      console.warn(error);
    } finally {
      if (mine === asked) {
        form.removeAttribute("aria-busy");
      }
    }
  }

  /** Ask for the price of what is typed, or of a bound ("min", "max") that the server knows as of now. */
  function ask(isRenewal = true, bound = "") {
    clearTimeout(typing);
    typing = 0;
    clearTimeout(renewing);
    const side = form.elements.side.value;
    pending = fetchQuote(side, isRenewal, bound || fields[side].value);
    return pending;
  }

  /** An amount was changed by hand: the old price is void at once, the new one is asked for after a pause. */
  function amountChanged(side, delayMs) {
    form.elements.side.value = side;
    token.value = "";
    clearTimeout(renewing);
    clearTimeout(typing);
    typing = setTimeout(() => ask(false), delayMs);
  }

  async function submit(event) {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (token.value) {
      form.dataset.sent = "yes";
      form.querySelector("button[type=submit]").setAttribute("aria-disabled", "true");
      return;
    }
    // Nobody accepts a price that is not on the page: show it first, and let it be pressed again.
    event.preventDefault();
    await (typing ? ask(false) : pending);
  }

  Object.entries(fields).forEach(([side, input]) => {
    input.addEventListener("input", () => amountChanged(side, TYPING_MS));
  });
  form.querySelectorAll("[data-bound]").forEach((button) => {
    button.addEventListener("click", () => {
      fields.send.value = button.querySelector("b").textContent;
      form.elements.side.value = "send";
      token.value = "";
      ask(false, button.dataset.bound);
    });
  });
  ["payout_address", "refund_address"].forEach((name) => nexchange.watchAddress(form, name, showError));
  form.addEventListener("submit", submit);
  window.addEventListener("pageshow", () => delete form.dataset.sent);

  if (token.value) {
    renewIn(Math.max(Date.parse(token.dataset.expires) - Date.parse(token.dataset.now), 0));
  } else if (!form.querySelector("[aria-invalid=true]")) {
    renewIn(RETRY_MS);
  }
};

/** Check an address while it is typed and say at once what is wrong with it. */
nexchange.watchAddress = (form, name, showError) => {
  const TYPING_MS = 400;
  const input = form.elements[name];
  const valid = form.querySelector(`[data-valid-for="${name}"]`);
  let typing = 0;
  let asked = 0;

  async function check() {
    asked += 1;
    const mine = asked;
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    body.set("pair", form.elements.pair.value);
    body.set("field", name);
    body.set("address", input.value);
    try {
      const answer = await fetch(form.dataset.checkUrl, { method: "POST", body, headers: { Accept: "application/json" } });
      const said = await answer.json();
      // Asked too often is not the address's fault; the server checks it again when the form is sent.
      if (mine === asked && answer.status !== 429) {
        showError(name, answer.ok ? "" : said.message);
        valid.textContent = answer.ok ? said.message : "";
        valid.hidden = !answer.ok;
      }
    } catch (error) {
      console.warn(error); // the server checks again when the form is sent
    }
  }

  input.addEventListener("input", () => {
    asked += 1;
    clearTimeout(typing);
    valid.hidden = true;
    showError(name, "");
    if (input.value.trim()) {
      typing = setTimeout(check, TYPING_MS);
    }
  });
};

document.querySelectorAll("form[data-exchange]").forEach(nexchange.mountExchangeForm);
