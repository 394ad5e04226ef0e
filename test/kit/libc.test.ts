import { expect, test } from "bun:test";

test.each([
  ["runs", "for (;;);"],
  ["never returns to the event loop", "for (;;) await undefined;"],
])("the kernel ends a process that %s when its time is up", async (_, loop) => {
  const program = `import { endAfter } from "${import.meta.dir}/../../src/kit/libc.ts"; endAfter(1); ${loop}`;
  const child = Bun.spawn([process.execPath, "-e", program], { stderr: "inherit" });
  await child.exited;
  expect(child.signalCode).toBe("SIGALRM");
});
