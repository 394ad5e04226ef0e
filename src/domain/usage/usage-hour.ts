import type { Occupants } from "../gpu.ts";
import type { HolderLabels } from "./labels.ts";
import { noPrices, type UsagePrices } from "./prices.ts";

/** Who holds a device: its workloads, or the job that a label names. */
export interface UsageHolder extends HolderLabels {
  readonly occupants: Occupants;
}

/** The time-weighted sum of a metric (its unit times seconds), and its greatest value; NaN if it has none. */
export interface Level {
  readonly sum: number;
  readonly max: number;
}

/** Time in which a device has one holder, or in which nothing is known of it. */
export interface UsageSpan {
  /** Undefined: unknown. */
  readonly holder: UsageHolder | undefined;
  readonly lengthMs: number;
  /** The parts in which the device was busy, and was not; the rest was not measured. */
  readonly activeMs: number;
  readonly idleMs: number;
  /** The part in which tensor cores, or else SMs, were busy. */
  readonly effectiveMs: number;
  readonly energyJoules: number;
  /** The part of the energy that belongs to idle time. */
  readonly idleJoules: number;
  readonly utilization: Level;
  readonly memory: Level;
  readonly power: Level;
}

/** What effective time was measured by: tensor activity (`tensor`), SM activity (`sm`), or nothing. */
export const effectiveMeasures = ["none", "sm", "tensor"] as const;
export type EffectiveMeasure = (typeof effectiveMeasures)[number];
/** What energy was measured by: the counter's increase, or power over time. */
export const energyMeasures = ["none", "power", "counter"] as const;
export type EnergyMeasure = (typeof energyMeasures)[number];

/** A value of the energy counter. */
export interface EnergyReading {
  readonly atMs: number;
  readonly joules: number;
}

/** What the last record says about the time after it. */
export interface LastState {
  readonly isActive: boolean;
  readonly isIdle: boolean;
  readonly isEffective: boolean;
  /** Watts; NaN: unknown. */
  readonly power: number;
}

/** How a device was used in an hour (UTC), from its first record in it to its last one. What lies before and after follows from the hours
 *  before and after (device-time.ts), so that an hour depends on its own records only. */
export interface UsageHour {
  readonly firstMs: number;
  readonly lastMs: number;
  /** How long a record counts if no other follows. */
  readonly limitMs: number;
  /** In the order of time, without gaps, from the first record to the last one; the last span has the holder of the last record. */
  readonly spans: readonly UsageSpan[];
  readonly last: LastState;
  readonly effectiveBy: EffectiveMeasure;
  readonly energyBy: EnergyMeasure;
  /** The first and the last value of the energy counter. */
  readonly energy: { readonly first: EnergyReading; readonly last: EnergyReading } | undefined;
}

/** From which values on a device counts as used. */
export interface UsageThresholds {
  /** Percent of utilization. */
  readonly activePercent: number;
  /** Percent of tensor activity, or else of SM activity. */
  readonly effectivePercent: number;
}

/** Unless the settings say otherwise. */
export const usageThresholdsDefault: UsageThresholds = { activePercent: 5, effectivePercent: 5 };

/** How usage is counted, and what it costs. */
export interface UsageSettings extends UsageThresholds {
  readonly prices: UsagePrices;
}

/** Unless the settings say otherwise. */
export const usageSettingsDefault: UsageSettings = { ...usageThresholdsDefault, prices: noPrices };
