/**
 * Copy buttons: `<button data-copy="#id">` or `data-copy-text="…"` puts a value on the clipboard and says so.
 */
"use strict";

(() => {
  const CONFIRMATION_MS = 2000;

  function textOf(button) {
    if (button.dataset.copyText !== undefined) {
      return button.dataset.copyText;
    }
    const source = document.querySelector(button.dataset.copy);
    return source ? (source.value || source.textContent).trim() : "";
  }

  // navigator.clipboard needs a secure context; a site tried on a phone over plain HTTP has none.
  async function write(text) {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) {
      throw new Error("the browser refused to copy");
    }
  }

  async function copy(button) {
    const label = button.dataset.label || button.textContent;
    button.dataset.label = label;
    try {
      await write(textOf(button));
      button.textContent = button.dataset.copied;
      button.classList.add("is-done");
    } catch (error) {
      button.textContent = button.dataset.failed;
      console.warn(error);
    }
    clearTimeout(button.copyTimer);
    button.copyTimer = setTimeout(() => {
      button.textContent = label;
      button.classList.remove("is-done");
    }, CONFIRMATION_MS);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text]");
    if (button) {
      event.preventDefault();
      copy(button);
    }
  });
})();
