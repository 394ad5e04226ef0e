import { writeFileSync } from "node:fs";

/** Linux keeps this many characters of a process's name. */
export const nameMaxLength = 15;

/** Names this process for `pgrep`, `top` and `ps -o comm`. */
export function nameProcess(name: string): void {
  process.title = name;
  if (process.platform !== "linux") return;
  try {
    // Bun's process.title does not change the name that the kernel knows
    writeFileSync("/proc/self/comm", name.slice(0, nameMaxLength));
  } catch {
    // without /proc, the process keeps the name of its program
  }
}
