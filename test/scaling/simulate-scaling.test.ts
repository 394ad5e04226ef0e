import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { curves } from "../../scripts/simulate-scaling/curves.ts";
import { runCurve } from "../../scripts/simulate-scaling/run-curve.ts";
import { defaultPolicy, type ScalingPolicy } from "../../src/scaling/coordinator/policy.ts";

async function simulate(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  const script = join(import.meta.dir, "../../scripts/simulate-scaling.ts");
  const child = Bun.spawn([process.execPath, script, ...args], { stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, lines: output.split("\n"), errors };
}

for (const curve of curves) {
  test(`the default policy keeps the rules of the curve "${curve.name}", whatever the seed`, () => {
    for (let seed = 1; seed <= (curve.seconds > 10_000 ? 3 : 20); seed += 1) {
      expect({ seed, broken: curve.check(runCurve(curve, defaultPolicy, seed)) }).toEqual({ seed, broken: [] });
    }
  });
}

describe("a policy breaks rules", () => {
  const step = curves.find(({ name }) => name === "step") ?? curves[0];

  function brokenBy(changes: Partial<ScalingPolicy>): readonly string[] {
    if (step === undefined) throw new Error("there are no curves");
    return step.check(runCurve(step, { ...defaultPolicy, ...changes }, 1));
  }

  test("if it has too few collectors", () => {
    const collector = { ...defaultPolicy.collector, max: 3 };
    expect(brokenBy({ collector }).join()).toContain("the oldest message was younger than 10 s only");
  });

  test("if it has neither tolerance nor cool-downs", () => {
    const steps = {
      ...defaultPolicy.steps,
      toleranceShare: 0,
      upCooldownSeconds: 0,
      downCooldownSeconds: 0,
      downStableSeconds: 0,
    };
    expect(brokenBy({ steps }).join()).toContain("reversals within 10 minutes");
  });
});

describe("bun run simulate-scaling", () => {
  test.each([80, 60])("fits %d columns, without colours if there is no terminal, and exits with 0", async (width) => {
    const { code, lines } = await simulate("--width", String(width));
    expect(code).toBe(0);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(lines.join("")).not.toContain("\u001b");
    for (const { name } of curves)
      expect(lines.some((line) => line.startsWith(`${name} `) && line.endsWith("  ok"))).toBe(true);
  });

  test("says which argument is not usable", async () => {
    const { code, errors } = await simulate("--curve", "storm");
    expect(code).toBe(1);
    expect(errors).toContain('--curve "storm" is not usable: expected one of step, burst');
  });
});
