/**
 * Stands in for the server in the specs: answers each fetch() in turn and lets waiting promises run.
 */
"use strict";

window.answers = {
  /** Answer the next questions with these bodies; `status` 200 unless a body says otherwise. */
  give(...bodies) {
    const queue = [...bodies];
    return spyOn(window, "fetch").and.callFake(async () => {
      const next = queue.length > 1 ? queue.shift() : queue[0];
      if (next instanceof Error) {
        throw next;
      }
      const { status = 200, ...body } = next;
      return { ok: status < 400, status, json: async () => body };
    });
  },

  async settle() {
    for (let turn = 0; turn < 20; turn += 1) {
      await Promise.resolve();
    }
  },
};
