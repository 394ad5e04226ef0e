import { abusers, type Target } from "./abusers.ts";

// Runs one abuser in a process of its own, and prints how often each outcome was.
// Usage: bun bench/abuse/run-abuser.ts INDEX TARGET_AS_JSON SECONDS

const [index = "", target = "", seconds = ""] = process.argv.slice(2);
const outcomes = new Map<string, number>();
const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
const ended = AbortSignal.timeout(Number(seconds) * 1000);
const running = abusers[Number(index)]?.run(JSON.parse(target) as Target, count, ended).catch(() => undefined);
await Promise.race([running, Bun.sleep(Number(seconds) * 1000 + 500)]);
process.stdout.write([...outcomes].map(([outcome, number]) => `${outcome}: ${number}`).join(", "));
process.exit();
