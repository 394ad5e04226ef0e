import pino from "pino";
import { systemClock } from "../../../src/kit/clock.ts";
import { Backends } from "../../../src/scaling/balancer/backends.ts";
import { exerciseService } from "../../contract/service.ts";

const log = pino({ level: "silent" });

exerciseService("the list of gateways behind a balancer", () => {
  let calls = 0;
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => {
      calls += 1;
      return systemClock.sleep(Math.min(ms, 5), signal);
    },
  };
  const watch = (onChange: (entries: readonly { name: string; url: string; isDraining: boolean }[]) => void) => {
    onChange([{ name: "one", url: "http://127.0.0.1:9", isDraining: false }]);
    return Promise.resolve();
  };
  return { service: new Backends({ watch, clock, log }), calls: () => calls };
});
