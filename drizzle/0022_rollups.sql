-- What settled history amounts to. A column is packed already and is read on its own: it is stored uncompressed.
CREATE TABLE "rollups" (
	"from_at" timestamp with time zone NOT NULL,
	"first_key" bigint NOT NULL,
	"last_key" bigint NOT NULL,
	"entries" integer NOT NULL,
	"keys" "bytea" NOT NULL,
	"holders" "bytea" NOT NULL,
	"holder_names" json NOT NULL,
	"records" "bytea" NOT NULL,
	"gpu_utilization" "bytea",
	"memory_utilization" "bytea",
	"memory_used_mb" "bytea",
	"memory_free_mb" "bytea",
	"temperature" "bytea",
	"power_draw" "bytea",
	"sm_clock_mhz" "bytea",
	"memory_clock_mhz" "bytea",
	"enc_utilization" "bytea",
	"dec_utilization" "bytea",
	"memory_temperature" "bytea",
	"memory_reserved_mb" "bytea",
	"total_energy_mj" "bytea",
	"xid_error" "bytea",
	"pcie_replay_total" "bytea",
	"vgpu_license_status" "bytea",
	"correctable_remapped_rows" "bytea",
	"uncorrectable_remapped_rows" "bytea",
	"row_remap_failure" "bytea",
	"nvlink_bandwidth_total" "bytea",
	"nvlink_bandwidth_l0_bytes" "bytea",
	"nvlink_crc_data_error_total" "bytea",
	"nvlink_crc_flit_error_total" "bytea",
	"nvlink_recovery_error_total" "bytea",
	"nvlink_replay_error_total" "bytea",
	"power_violation_ns" "bytea",
	"thermal_violation_ns" "bytea",
	"sync_boost_violation_ns" "bytea",
	"board_limit_violation_ns" "bytea",
	"low_util_violation_ns" "bytea",
	"reliability_violation_ns" "bytea",
	"ecc_sbe_volatile_total" "bytea",
	"ecc_dbe_volatile_total" "bytea",
	"ecc_sbe_aggregate_total" "bytea",
	"ecc_dbe_aggregate_total" "bytea",
	"retired_pages_sbe" "bytea",
	"retired_pages_dbe" "bytea",
	"retired_pages_pending" "bytea",
	"gr_engine_active" "bytea",
	"sm_active" "bytea",
	"sm_occupancy" "bytea",
	"tensor_active" "bytea",
	"dram_active" "bytea",
	"fp64_active" "bytea",
	"fp32_active" "bytea",
	"fp16_active" "bytea",
	"pcie_tx_bytes" "bytea",
	"pcie_rx_bytes" "bytea",
	"clock_events" "bytea",
	"gpu_health_status" "bytea",
	"p2p_status" "bytea",
	"xid_errors" "bytea",
	"memory_capacity_mb" "bytea",
	"clock_event_reasons" "bytea",
	"row_remap_pending" "bytea",
	"xid_errors_total" "bytea",
	"clock_events_total" "bytea",
	CONSTRAINT "rollups_pkey" PRIMARY KEY("from_at","first_key")
);
--> statement-breakpoint
CREATE TABLE "unsettled" (
	"hour" timestamp with time zone NOT NULL,
	"gpu_key" bigint NOT NULL,
	CONSTRAINT "unsettled_pkey" PRIMARY KEY("hour","gpu_key")
);
--> statement-breakpoint
DO $$
DECLARE
  packed name;
BEGIN
  FOR packed IN SELECT attname FROM pg_attribute WHERE attrelid = 'rollups'::regclass AND atttypid = 'bytea'::regtype LOOP
    EXECUTE format('ALTER TABLE rollups ALTER COLUMN %I SET STORAGE EXTERNAL', packed);
  END LOOP;
END
$$;
