describe("copy buttons", () => {
  let written;

  beforeEach(() => {
    loadFixtures("copy.html");
    written = spyOn(navigator.clipboard, "writeText").and.resolveTo();
    jasmine.clock().install();
  });

  afterEach(() => jasmine.clock().uninstall());

  const settle = async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      await Promise.resolve();
    }
  };

  it("copies the value of a field without the spaces around it", async () => {
    document.querySelector("#copy-amount").click();
    await settle();

    expect(written).toHaveBeenCalledOnceWith("1.25");
  });

  it("copies the text of an element", async () => {
    document.querySelector("#copy-address").click();
    await settle();

    expect(written).toHaveBeenCalledOnceWith("rltc1qexample");
  });

  it("copies a text that the button carries itself", async () => {
    document.querySelector("#copy-link").click();
    await settle();

    expect(written).toHaveBeenCalledOnceWith("http://localhost/en/order/X/#t");
  });

  it("says that it copied, then shows its label again", async () => {
    const button = document.querySelector("#copy-amount");
    button.click();
    await settle();

    expect($(button)).toHaveText("Copied");
    jasmine.clock().tick(2001);

    expect($(button)).toHaveText("Copy amount");
  });

  it("keeps its own label when pressed twice", async () => {
    const button = document.querySelector("#copy-amount");
    button.click();
    await settle();
    button.click();
    await settle();
    jasmine.clock().tick(2001);

    expect($(button)).toHaveText("Copy amount");
  });

  it("says so when the browser refuses", async () => {
    spyOn(console, "warn");
    written.and.rejectWith(new Error("denied"));
    const button = document.querySelector("#copy-address");
    button.click();
    await settle();

    expect($(button)).toHaveText("Copy by hand");
  });
});
