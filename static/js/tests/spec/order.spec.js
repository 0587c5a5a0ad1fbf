describe("order page", () => {
  let page;

  const news = (more = {}) => ({
    state: "confirming", final: false, now: "2026-01-01T00:00:00+00:00", spoken: "We see your deposit.",
    parts: { status: "<p>Confirming</p>" }, ...more,
  });
  const wait = async (ms) => {
    jasmine.clock().tick(ms);
    await answers.settle();
  };

  beforeEach(() => {
    jasmine.clock().install();
    loadFixtures("order.html");
    page = document.querySelector("[data-order]");
  });

  afterEach(() => jasmine.clock().uninstall());

  it("shows what changed and says the new state once", async () => {
    answers.give(news());
    nexchange.mountOrder(page);
    await wait(4000);

    expect($("[data-part=status]")).toHaveText("Confirming");
    expect($("[data-spoken]")).toHaveText("We see your deposit.");
    expect(page.dataset.state).toBe("confirming");
  });

  it("keeps asking while the order can change and stops when it is final", async () => {
    const fetched = answers.give(news(), news({ state: "completed", final: true }));
    nexchange.mountOrder(page);
    await wait(4000);
    await wait(4000);
    await wait(60000);

    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it("asks nothing about an order that was final from the start", async () => {
    const fetched = answers.give(news());
    page.dataset.final = "";
    nexchange.mountOrder(page);
    await wait(60000);

    expect(fetched).not.toHaveBeenCalled();
  });

  it("leaves alone what a person has typed", async () => {
    const part = page.querySelector("[data-part=refund]");
    part.innerHTML = "<input name=address value=''>";
    part.querySelector("input").value = "rltc1qtyped";
    answers.give(news({ parts: { refund: "<input name=address value=''>", status: "<p>Confirming</p>" } }));
    nexchange.mountOrder(page);
    await wait(4000);

    expect($(part).find("input")).toHaveValue("rltc1qtyped");
    expect($("[data-part=status]")).toHaveText("Confirming");
  });

  it("keeps opened details open", async () => {
    page.querySelector("details").open = true;
    answers.give(news({ parts: { details: "<details><summary>Steps</summary><p>two</p></details>" } }));
    nexchange.mountOrder(page);
    await wait(4000);

    expect($("[data-part=details] p")).toHaveText("two");
    expect(page.querySelector("details").open).toBe(true);
  });

  it("says that what it shows may be old when the server is away, and recovers", async () => {
    spyOn(console, "warn");
    answers.give({ status: 502 }, news());
    nexchange.mountOrder(page);
    await wait(4000);

    expect(page.querySelector("[data-stale]").hidden).toBe(false);
    await wait(4000);

    expect(page.querySelector("[data-stale]").hidden).toBe(true);
  });

  it("asks at once when the countdown ends", async () => {
    const fetched = answers.give(news());
    nexchange.mountOrder(page);
    page.dispatchEvent(new CustomEvent("countdown:end"));
    await wait(0);

    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("posts the token of a link once and removes it from the address bar", () => {
    const form = page.querySelector("form[data-claim]");
    const sent = spyOn(form, "requestSubmit");
    const replaced = spyOn(history, "replaceState");

    expect(nexchange.claimOrder(page, { hash: "#abc123", pathname: "/en/order/O1/", search: "" })).toBe(true);
    expect(form.elements.token.value).toBe("abc123");
    expect(sent).toHaveBeenCalledTimes(1);
    expect(replaced.calls.first().args[2]).toBe("/en/order/O1/");
  });

  it("posts nothing without a token in the link", () => {
    const sent = spyOn(page.querySelector("form[data-claim]"), "requestSubmit");

    expect(nexchange.claimOrder(page, { hash: "", pathname: "/en/order/O1/", search: "" })).toBe(false);
    expect(sent).not.toHaveBeenCalled();
  });
});
