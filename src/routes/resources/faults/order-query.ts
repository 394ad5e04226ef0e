import { firstMsOf } from "../../../domain/timestamp.ts";
import { severities } from "../../../faults/fault-guide.ts";
import type { SilenceMatcher } from "../../../faults/silence.ts";
import type { NewSilence, Remediation } from "../../answers/faults/fault-orders.ts";
import { InvalidParameter } from "../../http/api-error.ts";
import { nameOf } from "../../http/parameters/common.ts";
import {
  choice,
  flag,
  instant,
  integer,
  optional,
  text,
  type ValuesOf,
  withDefault,
} from "../../http/parameters/parameter.ts";
import { silenceFieldNames } from "../../schemas/fault-silence.ts";

const commentMaxLength = 500;
const gpuExample = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";

/** The parameter of an acknowledgement. */
export const acknowledgeQuery = {
  comment: optional(
    text({
      maxLength: commentMaxLength,
      description: "A note for people: what is being done",
      example: "drained, ticket 4711",
    }),
  ),
};

/** The parameters of a reset or reboot. */
export const remediationQuery = {
  kind: choice(["reset", "reboot"], {
    description: ({ value }) =>
      `${value("reset")} of a device or of all devices of a host, or ${value("reboot")} of a host`,
    example: "reboot",
  }),
  cluster_id: optional(nameOf("Cluster of the host; needed only if several clusters have a host of this name", "lab")),
  hostname: optional(nameOf("The host, with its devices", "gpu-01")),
  gpu_uuid: optional(nameOf("The device, instead of a host", gpuExample)),
  ...acknowledgeQuery,
};

/** The remediation that the parameters say. */
export function remediationOf(values: ValuesOf<typeof remediationQuery>, by: string): Remediation {
  const { kind, cluster_id: clusterId, hostname, gpu_uuid: uuid, comment = "" } = values;
  return { kind, clusterId, hostname, uuid, by, comment };
}

const matcher = (of: string, example: string) =>
  optional(nameOf(`Only faults with this ${of}; * stands for any text, and ! before a text for all others`, example));

const matcherParameters = {
  name: matcher("name", "gpu.temperature.*"),
  rule: matcher("rule", "nvidia.xid.application"),
  severity: matcher("severity", "!critical"),
  cluster_id: matcher("cluster", "lab"),
  hostname: matcher("host", "gpu-0*"),
  gpu_uuid: matcher("device", gpuExample),
  namespace: matcher("namespace of a holder", "ml"),
  job: matcher("job", "ml/train"),
};

/** The parameters of a new silence. */
export const newSilenceQuery = {
  ...matcherParameters,
  reason: text({
    maxLength: commentMaxLength,
    description: "The reason, for people",
    example: "new fans, ticket 4711",
  }),
  start_time: optional(instant("RFC 3339 with zone, or a time from now such as -1h; when it begins. Default now")),
  end_time: instant("RFC 3339 with zone, or a time from now such as -1h; when it ends, at most 366 days later"),
};

/** The silence that the parameters say.
 *  @throws InvalidParameter if it has no reason, or would hold for every fault because of a mistake */
export function newSilenceOf(values: ValuesOf<typeof newSilenceQuery>): NewSilence {
  const { reason, start_time: start, end_time: end } = values;
  const matchers = Object.entries(silenceFieldNames).flatMap(([name, field]): SilenceMatcher[] => {
    const given = values[name as keyof typeof silenceFieldNames];
    if (given === undefined) return [];
    const isEqual = !given.startsWith("!");
    const pattern = isEqual ? given : given.slice(1);
    checkPattern(name, given, pattern);
    return [{ field, pattern, isEqual }];
  });
  if (reason.trim() === "") {
    throw new InvalidParameter({
      parameter: "reason",
      value: reason,
      problem: "it is empty",
      expected: "why, for people",
    });
  }
  return { matchers, reason, startsAtMs: start && firstMsOf(start), endsAtMs: firstMsOf(end) };
}

function checkPattern(parameter: string, value: string, pattern: string): void {
  if (pattern === "") {
    const problem = "the silence would be for every fault";
    throw new InvalidParameter({ parameter, value, problem, expected: "a text after !" });
  }
  if (parameter !== "severity" || pattern.includes("*") || severities.some((severity) => severity === pattern)) return;
  const problem = `there is no severity ${JSON.stringify(pattern)}`;
  const expected = `one of ${severities.join(", ")}, or ! and one of them`;
  throw new InvalidParameter({ parameter, value, problem, expected });
}

/** The parameter of requests for the list of silences. */
export const silencesQuery = {
  ended: withDefault(flag("Whether silences that have ended are listed as well"), false),
};

/** The path parameter of one silence. */
export const silenceParams = {
  id: integer({ minimum: 1, maximum: 999_999_999_999_999, description: "The silence's id", example: 7 }),
};
