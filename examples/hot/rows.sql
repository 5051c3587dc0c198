-- Fills the tables of schema.sql for the ledgers :first to :last, about 40 rows a ledger:
--
--     psql -v first=59999501 -v last=60000500 -f examples/hot/rows.sql postgresql://…
--
-- A ledger's rows follow from its number alone, so that a repetition makes the same rows again (and
-- fails on the primary keys of those that are still there). In one transaction, as ingesters do it.
\set ON_ERROR_STOP on
BEGIN;

-- Letters, digits and lengths as in the real thing; not valid strkeys.
CREATE OR REPLACE FUNCTION pg_temp.hash(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex') $$;
CREATE OR REPLACE FUNCTION pg_temp.key(kind text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT kind || upper(left(translate(pg_temp.hash(kind || n), '0189', 'wxyz'), 55)) $$;
CREATE OR REPLACE FUNCTION pg_temp.account(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_temp.key('G', n % 997) $$;
CREATE OR REPLACE FUNCTION pg_temp.contract(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_temp.key('C', n % 101) $$;
CREATE OR REPLACE FUNCTION pg_temp.transaction(ledger bigint, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_temp.hash('transaction ' || ledger || ' ' || n) $$;
-- NULL is the network's own asset, XLM, which nobody issues.
CREATE OR REPLACE FUNCTION pg_temp.asset(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (ARRAY['USDC', 'EURC', 'AQUA', NULL, 'yXLM'])[1 + n % 5] $$;
CREATE OR REPLACE FUNCTION pg_temp.issuer(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN pg_temp.asset(n) IS NOT NULL THEN pg_temp.key('G', 5000 + n % 5) END $$;
CREATE OR REPLACE FUNCTION pg_temp.asset_type(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN pg_temp.asset(n) IS NULL THEN 'native' ELSE 'credit_alphanum4' END $$;
-- Seven decimals, which is what amounts have.
CREATE OR REPLACE FUNCTION pg_temp.amount(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT trunc((n * 7919 % 100000000000)::numeric / 10000000, 7)::text $$;

-- What all tables share. A ledger takes five seconds; the microseconds are there to be kept.
CREATE TEMPORARY TABLE ledger ON COMMIT DROP AS
SELECT l, closed, closed + interval '1.234567 s' + (l % 1000) * interval '1 us' AS created,
    l / 10000 * 10000 AS range,
    CASE WHEN l % 3 > 0 THEN 'era-' || l / 1000000 END AS era,
    CASE WHEN l % 7 > 0 THEN 'v' || 20 + l % 4 END AS version
FROM generate_series(:first::bigint, :last::bigint) AS l,
    LATERAL (SELECT timestamptz '2015-09-30 16:46:54Z' + l * interval '5 s' AS closed) AS clock;

INSERT INTO ledgers_row_v2 (sequence, ledger_hash, previous_ledger_hash, closed_at, protocol_version,
    total_coins, fee_pool, base_fee, base_reserve, max_tx_set_size, successful_tx_count, failed_tx_count,
    ingestion_timestamp, ledger_range, transaction_count, operation_count, tx_set_operation_count,
    soroban_fee_write1kb, node_id, signature, ledger_header, bucket_list_size, live_soroban_state_size,
    evicted_keys_count, era_id, version_label)
SELECT l, pg_temp.hash('ledger ' || l), pg_temp.hash('ledger ' || l - 1), closed, 23,
    1054439020873472865, 70000000000000 + l * 1300, 100, 5000000, 1000, 3, 1,
    created, range, 4, 8, 9,
    CASE WHEN l % 4 > 0 THEN 11800 + l % 100 END, pg_temp.key('G', 9000), 'c2lnbmVk' || l,
    CASE WHEN l % 5 > 0 THEN 'AAAA' || md5(l::text) END, l * 300, l * 17,
    (l % 5 = 0)::integer, era, version
FROM ledger;

INSERT INTO transactions_row_v2 (ledger_sequence, transaction_hash, source_account, fee_charged, max_fee,
    successful, transaction_result_code, operation_count, memo_type, memo, created_at, account_sequence,
    ledger_range, source_account_muxed, inner_transaction_hash, fee_bump_fee, timebounds_min_time,
    timebounds_max_time, soroban_resources_instructions, soroban_data_size_bytes, soroban_fee_charged,
    soroban_host_function_type, soroban_contract_id, soroban_contract_events_count, signatures_count,
    new_account, tx_envelope, tx_signers, era_id, version_label)
SELECT l, pg_temp.transaction(l, n), pg_temp.account(l * 4 + n), 100 + l % 900, 10000 * n,
    n < 4, CASE WHEN n < 4 THEN 'txSUCCESS' ELSE 'txFAILED' END, 2,
    (ARRAY['none', 'text', 'id', NULL])[n],
    CASE n WHEN 2 THEN 'naïve ☄ "quoted", ' || l WHEN 3 THEN (l * 31)::text END, created, l << 32,
    range, NULL, CASE WHEN n = 3 THEN pg_temp.hash('inner ' || l) END, CASE WHEN n = 3 THEN 200 END, 0,
    CASE WHEN n = 1 THEN extract(epoch FROM closed)::bigint + 300 END,
    CASE WHEN n = 2 THEN l % 100000000 END, CASE WHEN n = 2 THEN l % 4096 END, CASE WHEN n = 2 THEN l % 70000 END,
    CASE WHEN n = 2 THEN 'HostFunctionTypeHostFunctionTypeInvokeContract' END,
    CASE WHEN n = 2 THEN pg_temp.contract(l) END, CASE WHEN n = 2 THEN 3 END, 1 + n % 2,
    l % 50 = 0, repeat(md5(l || ' ' || n), 4), CASE WHEN n > 1 THEN pg_temp.account(l + n) END, era, version
FROM ledger, generate_series(1, 4) AS n;

INSERT INTO operations_row_v2 (transaction_hash, transaction_index, operation_index, ledger_sequence,
    source_account, type, type_string, created_at, transaction_successful, operation_result_code,
    ledger_range, asset, asset_type, asset_code, asset_issuer, amount, destination, offer_id, price, price_r,
    soroban_operation, soroban_function, soroban_contract_id, soroban_auth_required, soroban_arguments_json,
    contract_calls_json, contracts_involved, max_call_depth, home_domain, data_name, data_value, era_id,
    version_label)
SELECT pg_temp.transaction(l, 1 + n / 2), 1 + n / 2, n % 2, l,
    pg_temp.account(l * 4 + n), (ARRAY[1, 3, 24, 10])[1 + n % 4],
    (ARRAY['payment', 'manage_sell_offer', 'invoke_host_function', 'manage_data'])[1 + n % 4], created, n < 6,
    CASE WHEN n < 6 THEN 'OpInner' END,
    range, CASE WHEN n % 4 = 0 THEN coalesce(pg_temp.asset(l) || ':' || pg_temp.issuer(l), 'native') END,
    CASE WHEN n % 4 = 0 THEN pg_temp.asset_type(l) END, CASE WHEN n % 4 = 0 THEN pg_temp.asset(l) END,
    CASE WHEN n % 4 = 0 THEN pg_temp.issuer(l) END, CASE WHEN n % 4 < 2 THEN l * 7919 + n END,
    CASE WHEN n % 4 = 0 THEN pg_temp.account(l + n) END, CASE WHEN n % 4 = 1 THEN l * 10 + n END,
    CASE WHEN n % 4 = 1 THEN '0.' || l END, CASE WHEN n % 4 = 1 THEN format('{"n":%s,"d":1000}', l % 1000) END,
    CASE WHEN n % 4 = 2 THEN 'invoke' END, CASE WHEN n % 4 = 2 THEN 'transfer' END,
    CASE WHEN n % 4 = 2 THEN pg_temp.contract(l) END, CASE WHEN n % 4 = 2 THEN l % 2 = 0 END,
    CASE WHEN n % 4 = 2 THEN format('["%s", %s]', pg_temp.account(l), l) END,
    CASE WHEN n % 4 = 2 THEN jsonb_build_array(jsonb_build_object('to', pg_temp.contract(l), 'depth', l % 3,
        'amount', (l * 1.5)::numeric, 'memo', NULL)) END,
    CASE WHEN n % 4 = 2 THEN CASE l % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[pg_temp.contract(l), NULL]
        ELSE ARRAY[pg_temp.contract(l), pg_temp.contract(l + 1), 'a "b", {c}'] END END,
    CASE WHEN n % 4 = 2 THEN (l % 3)::integer END, CASE WHEN n = 3 THEN 'example' || l % 10 || '.org' END,
    CASE WHEN n % 4 = 3 THEN 'key' || n END, CASE WHEN n = 7 THEN '' WHEN n = 3 THEN md5(l::text) END, era,
    version
FROM ledger, generate_series(0, 7) AS n;

INSERT INTO effects_row_v1 (ledger_sequence, transaction_hash, operation_index, effect_index, effect_type,
    effect_type_string, account_id, amount, asset_code, asset_issuer, asset_type, trustline_limit,
    authorize_flag, signer_account, signer_weight, offer_id, created_at, ledger_range, era_id, version_label)
SELECT l, pg_temp.transaction(l, 1 + n / 2), 0, n % 2, 2 + n % 2,
    (ARRAY['account_credited', 'account_debited'])[1 + n % 2], pg_temp.account(l + n), pg_temp.amount(l + n),
    pg_temp.asset(l + n), pg_temp.issuer(l + n), pg_temp.asset_type(l + n),
    CASE WHEN n = 5 THEN '922337203685.4775807' END,
    CASE WHEN n = 4 THEN l % 2 = 0 END, CASE WHEN n = 3 THEN pg_temp.account(l) END,
    CASE WHEN n = 3 THEN (l % 256)::integer END, CASE WHEN n = 2 THEN l * 10 + n END, created, range, era, version
FROM ledger, generate_series(0, 5) AS n;

INSERT INTO trades_row_v1 (ledger_sequence, transaction_hash, operation_index, trade_index, trade_type,
    trade_timestamp, seller_account, selling_asset_code, selling_asset_issuer, selling_amount, buyer_account,
    buying_asset_code, buying_asset_issuer, buying_amount, price, created_at, ledger_range, era_id,
    version_label)
SELECT l, pg_temp.transaction(l, 1), 1, n, (ARRAY['orderbook', 'liquidity_pool'])[1 + n],
    closed, pg_temp.account(l + n), pg_temp.asset(l), pg_temp.issuer(l), pg_temp.amount(l), pg_temp.account(l + 9),
    pg_temp.asset(l + 1), pg_temp.issuer(l + 1), pg_temp.amount(l * 3), l % 1000 || '/1000', created, range, era,
    version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO accounts_snapshot_v1 (account_id, ledger_sequence, closed_at, balance, sequence_number,
    num_subentries, num_sponsoring, num_sponsored, home_domain, master_weight, low_threshold, med_threshold,
    high_threshold, flags, auth_required, auth_revocable, auth_immutable, auth_clawback_enabled, signers,
    sponsor_account, created_at, updated_at, ledger_range, era_id, version_label)
SELECT pg_temp.account(l * 2 + n), l, closed, pg_temp.amount(l * 11 + n), l << 32,
    (l % 20)::integer, 0, n, CASE WHEN l % 6 = 0 THEN 'example.org' END, 1, 0, 0,
    0, (l % 16)::integer, l & 1 > 0, l & 2 > 0, l & 4 > 0, l & 8 > 0,
    CASE WHEN n = 1 THEN format('[{"key": "%s", "weight": 1}]', pg_temp.account(l)) END,
    CASE WHEN l % 9 = 0 THEN pg_temp.account(l + 5) END, created, created, range, era, version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO native_balances_snapshot_v1 (account_id, balance, buying_liabilities, selling_liabilities,
    num_subentries, num_sponsoring, num_sponsored, sequence_number, last_modified_ledger, ledger_sequence,
    ledger_range, era_id, version_label)
SELECT pg_temp.account(l * 2 + n), l * 11 + n, 0, l % 13, (l % 20)::integer, 0, n,
    CASE WHEN n = 0 THEN l << 32 END, l, l, range, era, version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO trustlines_snapshot_v1 (account_id, asset_code, asset_issuer, asset_type, balance, trust_limit,
    buying_liabilities, selling_liabilities, authorized, authorized_to_maintain_liabilities,
    clawback_enabled, ledger_sequence, created_at, ledger_range, era_id, version_label)
SELECT pg_temp.account(l + n), coalesce(pg_temp.asset(l), 'XRP'), coalesce(pg_temp.issuer(l), ''),
    'credit_alphanum4', pg_temp.amount(l + n), '922337203685.4775807', '0.0000000', '0.0000000', l % 8 > 0, true,
    l % 8 = 1, l, created, range, era, version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO account_signers_snapshot_v1 (account_id, signer, ledger_sequence, weight, sponsor, deleted,
    closed_at, ledger_range, created_at, era_id, version_label)
SELECT pg_temp.account(l), pg_temp.account(l + 1), l, (l % 256)::integer,
    CASE WHEN l % 4 = 0 THEN pg_temp.account(l + 2) END, l % 10 = 0, closed, range, created, era, version
FROM ledger;

INSERT INTO offers_snapshot_v1 (offer_id, seller_account, ledger_sequence, closed_at, selling_asset_type,
    selling_asset_code, selling_asset_issuer, buying_asset_type, buying_asset_code, buying_asset_issuer,
    amount, price, flags, created_at, ledger_range, era_id, version_label)
SELECT l * 10 + 1, pg_temp.account(l), l, closed, pg_temp.asset_type(l), pg_temp.asset(l), pg_temp.issuer(l),
    pg_temp.asset_type(l + 1), pg_temp.asset(l + 1), pg_temp.issuer(l + 1), pg_temp.amount(l), '0.' || l,
    (l % 2)::integer, created, range, era, version
FROM ledger;

INSERT INTO claimable_balances_snapshot_v1 (balance_id, sponsor, ledger_sequence, closed_at, asset_type,
    asset_code, asset_issuer, amount, claimants_count, flags, created_at, ledger_range, era_id,
    version_label)
SELECT pg_temp.hash('balance ' || l), pg_temp.account(l), l, closed, pg_temp.asset_type(l), pg_temp.asset(l),
    pg_temp.issuer(l), 9223372036854775807 - l, 2, 0, created, range, era, version
FROM ledger;

INSERT INTO liquidity_pools_snapshot_v1 (liquidity_pool_id, ledger_sequence, closed_at, pool_type, fee,
    trustline_count, total_pool_shares, asset_a_type, asset_a_code, asset_a_issuer, asset_a_amount,
    asset_b_type, asset_b_code, asset_b_issuer, asset_b_amount, created_at, ledger_range, era_id,
    version_label)
SELECT pg_temp.hash('pool ' || l % 40), l, closed, 'constant_product', 30, (l % 500)::integer, l * 100,
    'native', NULL, NULL, l * 7, pg_temp.asset_type(l), pg_temp.asset(l), pg_temp.issuer(l), l * 5, created, range,
    era, version
FROM ledger;

INSERT INTO contract_events_stream_v1 (event_id, contract_id, ledger_sequence, transaction_hash, closed_at,
    event_type, in_successful_contract_call, topics_json, topics_decoded, data_xdr, data_decoded, topic_count,
    operation_index, event_index, created_at, ledger_range, era_id, version_label)
SELECT format('%s-%s', l << 32, n), CASE WHEN n > 0 THEN pg_temp.contract(l + n) END, l, pg_temp.transaction(l, 2),
    closed, (ARRAY['diagnostic', 'contract', 'system'])[1 + n], n < 2, '["AAAADwAAAAh0cmFuc2Zlcg=="]',
    format('["transfer","%s"]', pg_temp.account(l)), 'AAAA' || md5(l::text), format('{"i128":"%s"}', l * 7919), 1,
    0, n, created, range, era, version
FROM ledger, generate_series(0, 2) AS n;

INSERT INTO contract_data_snapshot_v1 (contract_id, ledger_sequence, ledger_key_hash, contract_key_type,
    contract_durability, asset_code, asset_issuer, asset_type, balance_holder, balance, last_modified_ledger,
    ledger_entry_change, deleted, closed_at, contract_data_xdr, created_at, ledger_range, era_id,
    version_label)
SELECT pg_temp.contract(l), l, pg_temp.hash('data ' || l || n), 'ScValTypeScvVec',
    (ARRAY['ContractDataDurabilityPersistent', 'ContractDataDurabilityTemporary'])[1 + n],
    CASE WHEN n = 0 THEN pg_temp.asset(l) END, CASE WHEN n = 0 THEN pg_temp.issuer(l) END,
    CASE WHEN n = 0 THEN pg_temp.asset_type(l) END, CASE WHEN n = 0 THEN pg_temp.account(l) END,
    CASE WHEN n = 0 THEN (l * 7919)::text END, l,
    1 + n, l % 11 = 0, closed, repeat('AAAA' || md5(l::text), 2), created, range, era, version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO ttl_snapshot_v1 (key_hash, ledger_sequence, live_until_ledger_seq, ttl_remaining, expired,
    last_modified_ledger, deleted, closed_at, created_at, ledger_range, era_id, version_label)
SELECT pg_temp.hash('data ' || l || n), l, l + 4095 * n, 4095 * n, n = 0, l, false, closed, created, range, era,
    version
FROM ledger, generate_series(0, 1) AS n;

INSERT INTO token_transfers_stream_v1 (ledger_sequence, transaction_hash, transaction_id, operation_id,
    operation_index, event_type, "from", "to", asset, asset_type, asset_code, asset_issuer, amount,
    amount_raw, contract_id, closed_at, created_at, ledger_range, era_id, version_label)
SELECT l, pg_temp.transaction(l, 1 + n), l << 32, CASE WHEN n = 0 THEN (l << 32) + 1 END,
    CASE WHEN n = 0 THEN 0 END, (ARRAY['transfer', 'mint'])[1 + n],
    CASE WHEN n = 0 THEN pg_temp.account(l) END, pg_temp.account(l + 1), coalesce(pg_temp.asset(l), 'native'),
    pg_temp.asset_type(l), pg_temp.asset(l), pg_temp.issuer(l), l / 7.0, (l * 7919)::text, pg_temp.contract(l), closed,
    created, range, era, version
FROM ledger, generate_series(0, 1) AS n;

-- What does not come with every ledger.

INSERT INTO contract_creations_v1 (contract_id, creator_address, wasm_hash, created_ledger, created_at,
    ledger_range, era_id, version_label)
SELECT pg_temp.key('C', l), CASE WHEN l % 8 = 0 THEN pg_temp.account(l) END, pg_temp.hash('code ' || l % 20), l,
    closed, range, era, version
FROM ledger WHERE l % 4 = 0;

INSERT INTO evicted_keys_state_v1 (key_hash, ledger_sequence, contract_id, key_type, durability, closed_at,
    ledger_range, created_at, era_id, version_label)
SELECT pg_temp.hash('data ' || l - 5000 || 1), l, pg_temp.contract(l), 'ScValTypeScvVec', 'temporary', closed,
    range, created, era, version
FROM ledger WHERE l % 5 = 0;

INSERT INTO restored_keys_state_v1 (key_hash, ledger_sequence, contract_id, key_type, durability,
    restored_from_ledger, closed_at, ledger_range, created_at, era_id, version_label)
SELECT pg_temp.hash('data ' || l - 5000 || 0), l, pg_temp.contract(l), 'ScValTypeScvVec', 'persistent', l - 5000,
    closed, range, created, era, version
FROM ledger WHERE l % 5 = 1;

INSERT INTO contract_code_snapshot_v1 (contract_code_hash, ledger_key_hash, contract_code_ext_v,
    last_modified_ledger, ledger_entry_change, deleted, closed_at, ledger_sequence, n_instructions,
    n_functions, n_globals, n_table_entries, n_types, n_data_segments, n_elem_segments, n_imports, n_exports,
    n_data_segment_bytes, created_at, ledger_range, era_id, version_label)
SELECT pg_temp.hash('code ' || l % 20), pg_temp.hash('key ' || l % 20), 1, l, 1, false, closed, l,
    l % 9000, 40, 3, 4, 12, NULL, 0, 9, 17, l % 4096, created, range, era, version
FROM ledger WHERE l % 10 = 0;

INSERT INTO config_settings_snapshot_v1 (config_setting_id, ledger_sequence, last_modified_ledger, deleted,
    closed_at, ledger_max_instructions, tx_max_instructions, tx_memory_limit, contract_max_size_bytes,
    config_setting_xdr, created_at, ledger_range, era_id, version_label)
SELECT (l / 20 % 15)::integer, l, l, false, closed, 600000000, CASE WHEN l % 40 = 0 THEN 100000000 END,
    41943040, NULL, 'AAAA' || md5(l::text), created, range, era, version
FROM ledger WHERE l % 20 = 0;

COMMIT;
