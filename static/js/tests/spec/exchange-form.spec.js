describe("exchange form", () => {
  const QUOTE = {
    token: "new-token", send: "2", get: "0.06", min: "0.051", max: "49", expires_in_ms: 60000,
    breakdown: "<p>fresh</p>", spoken: "You send 2 LTC and get 0.06 ETH.",
  };
  let form;

  const field = (name) => form.elements[name];
  const shown = (name) => form.querySelector(`[data-error-for="${name}"]`);
  const type = (name, value) => {
    field(name).value = value;
    field(name).dispatchEvent(new Event("input", { bubbles: true }));
  };
  const asked = (call) => new URLSearchParams(call.args[0].split("?")[1]);
  const press = () => {
    const event = new Event("submit", { cancelable: true });
    form.dispatchEvent(event);
    return event;
  };

  beforeEach(() => {
    jasmine.clock().install();
    loadFixtures("exchange-form.html");
    form = document.querySelector("form[data-exchange]");
    nexchange.mountExchangeForm(form);
  });

  afterEach(() => jasmine.clock().uninstall());

  it("asks for the price after a pause in typing, once", async () => {
    const fetched = answers.give(QUOTE);
    type("send", "1.5");
    jasmine.clock().tick(200);
    type("send", "2");
    jasmine.clock().tick(299);

    expect(fetched).not.toHaveBeenCalled();
    jasmine.clock().tick(1);
    await answers.settle();

    expect(fetched).toHaveBeenCalledTimes(1);
    expect(asked(fetched.calls.first()).get("amount")).toBe("2");
    expect(asked(fetched.calls.first()).get("side")).toBe("send");
  });

  it("shows the other amount, the breakdown and the bounds that the server answered", async () => {
    answers.give(QUOTE);
    type("send", "2");
    jasmine.clock().tick(300);
    await answers.settle();

    expect($(field("get"))).toHaveValue("0.06");
    expect($("[data-breakdown]")).toHaveText("fresh");
    expect($("[data-bound=min] b")).toHaveText("0.051");
    expect($("[data-spoken]")).toHaveText(QUOTE.spoken);
    expect(field("quote").value).toBe("new-token");
  });

  it("asks by the amount to get when that is the one typed", async () => {
    const fetched = answers.give({ ...QUOTE, send: "3" });
    type("get", "0.09");
    jasmine.clock().tick(300);
    await answers.settle();

    expect(asked(fetched.calls.first()).get("side")).toBe("get");
    expect($(field("send"))).toHaveValue("3");
    expect(field("side").value).toBe("get");
  });

  it("drops the old price as soon as an amount changes", () => {
    answers.give(QUOTE);
    type("send", "2");

    expect(field("quote").value).toBe("");
  });

  it("sends the form with a price on it, and only once", () => {
    expect(press().defaultPrevented).toBe(false);
    expect(press().defaultPrevented).toBe(true);
  });

  it("does not send a form whose price is not on the page yet", async () => {
    answers.give(QUOTE);
    type("send", "2");
    const event = press();
    await answers.settle();

    expect(event.defaultPrevented).toBe(true);
    expect(field("quote").value).toBe("new-token");
    expect(press().defaultPrevented).toBe(false);
  });

  it("says beside the field what the server refused, and clears the other side", async () => {
    answers.give({ status: 422, code: "amount_below_minimum", message: "Too small", field: "send" });
    type("send", "0");
    jasmine.clock().tick(300);
    await answers.settle();

    expect($(shown("send"))).toHaveText("Too small");
    expect(shown("send").hidden).toBe(false);
    expect($(field("send"))).toHaveAttr("aria-invalid", "true");
    expect($(field("get"))).toHaveValue("");
    expect($("[data-breakdown]")).toBeEmpty();
  });

  it("removes the complaint once the amount is right", async () => {
    answers.give({ status: 422, code: "amount_invalid", message: "Not a number", field: "send" }, QUOTE);
    type("send", "x");
    jasmine.clock().tick(300);
    await answers.settle();
    type("send", "2");
    jasmine.clock().tick(300);
    await answers.settle();

    expect(shown("send").hidden).toBe(true);
    expect($(field("send"))).not.toHaveAttr("aria-invalid");
  });

  it("ignores an answer that was overtaken", async () => {
    let answerFirst;
    spyOn(window, "fetch").and.returnValues(
      new Promise((resolve) => { answerFirst = resolve; }),
      Promise.resolve({ ok: true, json: async () => QUOTE }),
    );
    type("send", "1");
    jasmine.clock().tick(300);
    type("send", "2");
    jasmine.clock().tick(300);
    await answers.settle();
    answerFirst({ ok: true, json: async () => ({ ...QUOTE, get: "0.01", token: "late-token" }) });
    await answers.settle();

    expect($(field("get"))).toHaveValue("0.06");
    expect(field("quote").value).toBe("new-token");
  });

  it("renews the price when it runs out", async () => {
    const fetched = answers.give(QUOTE);
    jasmine.clock().tick(59999);

    expect(fetched).not.toHaveBeenCalled();
    jasmine.clock().tick(1);
    await answers.settle();

    expect(field("quote").value).toBe("new-token");
    expect($("[data-spoken]")).toHaveText("");
  });

  it("takes a bound as the server knows it now", async () => {
    const fetched = answers.give({ ...QUOTE, send: "0.051" });
    form.querySelector("[data-bound=min]").click();
    await answers.settle();

    expect(asked(fetched.calls.first()).get("amount")).toBe("min");
    expect($(field("send"))).toHaveValue("0.051");
  });

  it("says that it cannot reach the server and tries again", async () => {
    spyOn(console, "warn");
    const fetched = answers.give(new TypeError("offline"), QUOTE);
    type("send", "2");
    jasmine.clock().tick(300);
    await answers.settle();

    expect($(shown("form"))).toHaveText("No connection");
    jasmine.clock().tick(5000);
    await answers.settle();

    expect(fetched).toHaveBeenCalledTimes(2);
    expect(shown("form").hidden).toBe(true);
  });

  it("gives the server's reason against an address, as it is typed", async () => {
    const fetched = answers.give({ status: 422, code: "address_checksum", message: "Typing error", field: "payout_address" });
    type("payout_address", "0xabc");
    jasmine.clock().tick(400);
    await answers.settle();

    expect($(shown("payout_address"))).toHaveText("Typing error");
    expect(fetched.calls.first().args[1].body.get("address")).toBe("0xabc");
    expect(fetched.calls.first().args[1].body.get("field")).toBe("payout_address");
  });

  it("asks for a price again later, and blames no address, when it has asked too often", async () => {
    const busy = { status: 429, code: "rate_limited", message: "Too many requests", field: "form" };
    const fetched = answers.give(busy, busy, QUOTE);
    type("payout_address", "0xabc");
    jasmine.clock().tick(400);
    await answers.settle();
    expect(shown("payout_address").hidden).toBe(true);

    type("send", "2");
    jasmine.clock().tick(300);
    await answers.settle();
    expect($(shown("form"))).toHaveText("Too many requests");
    jasmine.clock().tick(5000);
    await answers.settle();

    expect(fetched).toHaveBeenCalledTimes(3);
    expect(shown("form").hidden).toBe(true);
  });

  it("says that an address is good, and takes it back when it changes", async () => {
    answers.give({ message: "A valid address" });
    const valid = form.querySelector("[data-valid-for=refund_address]");
    type("refund_address", "rltc1q");
    jasmine.clock().tick(400);
    await answers.settle();

    expect($(valid)).toHaveText("A valid address");
    expect(valid.hidden).toBe(false);
    type("refund_address", "rltc1");

    expect(valid.hidden).toBe(true);
  });
});
