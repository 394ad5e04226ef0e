import { Type } from "@sinclair/typebox";
import { accessSettings } from "./settings/access-settings.ts";
import { apiSettings } from "./settings/api-settings.ts";
import { coordinatorSettings } from "./settings/coordinator-settings.ts";
import { archiveSettings } from "./settings/archive-settings.ts";
import { balancerSettings } from "./settings/balancer-settings.ts";
import { etcdSettings } from "./settings/etcd-settings.ts";
import { exporterSettings } from "./settings/exporter-settings.ts";
import { faultSettings } from "./settings/fault-settings.ts";
import { inputSettings } from "./settings/input-settings.ts";
import { kubernetesSettings } from "./settings/kubernetes-settings.ts";
import { peopleSettings } from "./settings/people-settings.ts";
import { processSettings } from "./settings/process-settings.ts";
import { queueSettings } from "./settings/queue-settings.ts";
import { scalingSettings } from "./settings/scaling-settings.ts";
import { simulationSettings } from "./settings/simulation-settings.ts";
import { storeSettings } from "./settings/store-settings.ts";
import { uploadSettings } from "./settings/upload-settings.ts";
import { tlsSettings } from "./settings/tls-settings.ts";
import { traceSettings } from "./settings/trace-settings.ts";

/** The schema of the environment variables. Every setting is declared in settings/, by topic. */
export const configSchema = Type.Object({
  ...processSettings,
  ...tlsSettings,
  ...inputSettings,
  ...exporterSettings,
  ...simulationSettings,
  ...faultSettings,
  ...etcdSettings,
  ...storeSettings,
  ...archiveSettings,
  ...queueSettings,
  ...apiSettings,
  ...uploadSettings,
  ...accessSettings,
  ...peopleSettings,
  ...scalingSettings,
  ...coordinatorSettings,
  ...kubernetesSettings,
  ...balancerSettings,
  ...traceSettings,
});
