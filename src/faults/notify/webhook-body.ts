import { createHash } from "node:crypto";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { defined } from "../../kit/defined.ts";
import { runbookUrlOf } from "../rules/rule.ts";
import type { StoredFault } from "../stored-fault.ts";

/** What a receiver is notified of. */
export interface Notice {
  readonly fault: StoredFault;
  readonly status: "firing" | "resolved";
  /** The newest change's reason and value. */
  readonly why: string;
  readonly value: number | null;
}

/** Notices about one host and one kind of fault. */
export interface NoticeGroup {
  /** Names the delivery: the same for the same notices. */
  readonly delivery: string;
  readonly notices: readonly Notice[];
}

type Texts = Readonly<Record<string, string>>;

/** The most notices of one request. */
const maxNotices = 100;

/** Groups notices by host and name. A fault is at most once in a group, so that its states arrive one after another. */
export function groupsOf(notices: readonly (Notice & { readonly key: string })[]): NoticeGroup[] {
  const groups: { readonly keys: string[]; readonly notices: Notice[] }[] = [];
  const open = new Map<string, (typeof groups)[number]>();
  for (const notice of notices) {
    const { clusterId, hostname } = notice.fault.subject;
    const place = JSON.stringify([clusterId, hostname, notice.fault.name]);
    const group = open.get(place);
    const isFull = group === undefined || group.notices.length >= maxNotices;
    if (isFull || group.notices.some(({ fault }) => fault.id === notice.fault.id)) {
      const added = { keys: [notice.key], notices: [notice] };
      open.set(place, added);
      groups.push(added);
    } else {
      group.keys.push(notice.key);
      group.notices.push(notice);
    }
  }
  return groups.map(({ keys, notices: ofGroup }) => ({ delivery: hashOf(keys.join()), notices: ofGroup }));
}

/** The body of a request, in the format of Alertmanager's webhooks, version 4.
 *  @param runbookUrl FAULT_RUNBOOK_URL
 *  Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
export function webhookBody(notices: readonly Notice[], runbookUrl: string | undefined): string {
  const alerts = notices.map((notice) => alertOf(notice, runbookUrl));
  const groupLabels = commonOf(
    alerts.map(({ labels: { alertname = "", cluster = "", hostname = "" } }) => ({ alertname, cluster, hostname })),
  );
  const named = Object.entries(groupLabels).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  return JSON.stringify({
    version: "4",
    groupKey: `{}:{${named.join(", ")}}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === "firing") ? "firing" : "resolved",
    receiver: "telemetry",
    groupLabels,
    commonLabels: commonOf(alerts.map(({ labels }) => labels)),
    commonAnnotations: commonOf(alerts.map(({ annotations }) => annotations)),
    externalURL: "",
    alerts,
  });
}

interface Alert {
  readonly status: string;
  readonly labels: Texts;
  readonly annotations: Texts;
}

function alertOf(
  { fault, status, why, value }: Notice,
  runbookUrl: string | undefined,
): Alert & Readonly<Record<string, unknown>> {
  const labels = labelsOf(fault);
  const { id, summary, action, runbook, startedAtMs, endedAtMs } = fault;
  const page = runbookUrlOf(runbook, runbookUrl);
  const texts = { summary, description: why, action, runbook, runbook_url: page, fault_id: id };
  const annotations = defined({ ...texts, value: value === null ? undefined : String(value) });
  return {
    status,
    labels,
    annotations,
    startsAt: formatTimestamp(startedAtMs),
    // Go's zero time: the alert has no end
    endsAt: status === "resolved" && endedAtMs !== null ? formatTimestamp(endedAtMs) : "0001-01-01T00:00:00Z",
    generatorURL: "",
    fingerprint: hashOf(JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))).slice(0, 16),
  };
}

/** Alertmanager leaves empty labels out, too. */
function labelsOf({ name: alertname, rule, severity, subject, holders }: StoredFault): Texts {
  const { clusterId: cluster, hostname, uuid, job } = subject;
  const [first] = holders;
  const { namespace = "", pod = "" } = holders.length === 1 ? (first ?? {}) : {};
  const labels = { alertname, rule, severity, cluster, hostname, uuid, job, namespace, pod };
  return Object.fromEntries(Object.entries(labels).filter(([, text]) => text !== ""));
}

/** What all of them have. */
function commonOf([first, ...others]: readonly Texts[]): Texts {
  const entries = Object.entries(first ?? {}).filter(([name, text]) => others.every((other) => other[name] === text));
  return Object.fromEntries(entries);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
