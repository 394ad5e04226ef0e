const total = /<testsuites [^>]*>/;
const summed = ["tests", "assertions", "failures", "skipped"];

/** The JUnit reports of runs of `bun test` as one report. Its totals are the sums of theirs; its time is the longest. */
export function mergedReport(reports: readonly string[]): string {
  const attribute = (report: string, name: string): number =>
    Number(new RegExp(` ${name}="([\\d.]+)"`).exec(total.exec(report)?.[0] ?? "")?.[1] ?? 0);
  const sums = summed.map((name) => `${name}="${reports.reduce((sum, each) => sum + attribute(each, name), 0)}"`);
  const time = Math.max(0, ...reports.map((each) => attribute(each, "time")));
  const suites = reports.map((each) => /<testsuites [^>]*>([^]*)<\/testsuites>/.exec(each)?.[1]?.trim() ?? "");
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" ${sums.join(" ")} time="${time}">
  ${suites.filter((each) => each !== "").join("\n  ")}
</testsuites>
`;
}
