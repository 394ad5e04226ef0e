import { openDataDir } from "../../src/db/data-dir.ts";

// A child process of data-dir.test.ts: tries to lock each directory that it receives, and keeps it locked until the next one.

let release = (): Promise<void> => Promise.resolve();
process.on("message", (dir: string) => {
  const locking = release().then(() => openDataDir(dir));
  void locking.then(
    (opened) => {
      release = () => opened.release();
      process.send?.("locked");
    },
    (error: unknown) => {
      release = () => Promise.resolve();
      process.send?.(String(error));
    },
  );
});
process.send?.("ready");
