CREATE TABLE "inventory_items" (
	"declared_by" text NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"uuid" text NOT NULL,
	"mig_prefix" text NOT NULL,
	"gpus" integer,
	"declared_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inventory_items_pkey" PRIMARY KEY("declared_by","cluster_id","hostname","uuid")
);
--> statement-breakpoint
CREATE TABLE "inventory_spans" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "inventory_spans_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"state" text NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"uuid" text NOT NULL,
	"mig_prefix" text NOT NULL,
	"host_span_id" bigint,
	"from_at" timestamp with time zone NOT NULL,
	"to_at" timestamp with time zone,
	"note" text NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"returned_at" timestamp with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "inventory_items_uuid" ON "inventory_items" USING btree ("declared_by","uuid") WHERE "inventory_items"."uuid" <> '';--> statement-breakpoint
CREATE INDEX "inventory_spans_uuid" ON "inventory_spans" USING btree ("uuid");--> statement-breakpoint
CREATE INDEX "inventory_spans_host" ON "inventory_spans" USING btree ("cluster_id","hostname");