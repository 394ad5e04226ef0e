import { lockDataDir } from "../../src/db/data-dir-lock.ts";

// A child process of data-dir.test.ts: tries to lock each directory that it receives, and keeps it locked until the next one.

let release = (): void => undefined;
process.on("message", (dir: string) => {
  release();
  void lockDataDir(dir).then(
    (lock) => {
      release = () => lock.release();
      process.send?.("locked");
    },
    (error: unknown) => {
      release = () => undefined;
      process.send?.(String(error));
    },
  );
});
process.send?.("ready");
