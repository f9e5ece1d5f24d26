-- What registries of models say: sizes and limits, parameters, capabilities, prices, results of benchmarks. Purpose and provider may be
-- null, where a source does not say; and a model that a list names is not yet one that the agent may call.

ALTER TABLE ai_models
    ALTER COLUMN purpose DROP NOT NULL,
    ALTER COLUMN provider DROP NOT NULL,
    ALTER COLUMN is_enabled SET DEFAULT false,
    ADD COLUMN task text,
    ADD COLUMN architecture text,
    ADD COLUMN library text,
    ADD COLUMN license text,
    ADD COLUMN base_model text,
    ADD COLUMN parameter_count bigint,
    ADD COLUMN max_input_tokens bigint,
    ADD COLUMN max_output_tokens bigint,
    ADD COLUMN deprecated_on date,
    ADD CONSTRAINT ai_models_name_check CHECK (char_length(name) BETWEEN 1 AND 300),
    ADD CONSTRAINT ai_models_parameter_count_check CHECK (parameter_count >= 0),
    ADD CONSTRAINT ai_models_tokens_check CHECK (max_input_tokens >= 0 AND max_output_tokens >= 0);
COMMENT ON TABLE ai_models IS 'Models that are known; the agent may call those that are enabled.';
COMMENT ON COLUMN ai_models.model_id IS 'Loaded models: version 5 uuid of kind ai_model, made of the name.';
COMMENT ON COLUMN ai_models.purpose IS 'Null where the source does not say.';
COMMENT ON COLUMN ai_models.provider IS 'Null where the source does not say.';
COMMENT ON COLUMN ai_models.task IS 'What it is made for, in the source''s own words.';
COMMENT ON COLUMN ai_models.base_model IS 'What it was made from, as its card says.';
COMMENT ON COLUMN ai_models.deprecated_on IS 'From which day on its provider may take it away.';

COMMENT ON COLUMN ai_model_versions.version_id IS 'Loaded versions: version 5 uuid of kind ai_model_version, made of the model''s name and the version.';
COMMENT ON COLUMN ai_model_versions.version IS 'A tag, a commit, an id of a package; main where the source knows one version only.';

CREATE TABLE ai_model_parameters (
    model_id uuid  NOT NULL,
    name     text  NOT NULL,
    value    jsonb NOT NULL,
    CONSTRAINT ai_model_parameters_pkey PRIMARY KEY (model_id, name),
    CONSTRAINT ai_model_parameters_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE
);
COMMENT ON TABLE ai_model_parameters IS 'What a model''s configuration says.';
COMMENT ON COLUMN ai_model_parameters.name IS 'Path in the configuration: vision_cfg.image_size.';

CREATE TABLE ai_model_capabilities (
    model_id uuid NOT NULL,
    kind     text NOT NULL,
    name     text NOT NULL,
    CONSTRAINT ai_model_capabilities_pkey PRIMARY KEY (model_id, kind, name),
    CONSTRAINT ai_model_capabilities_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE
);
COMMENT ON TABLE ai_model_capabilities IS 'What a model takes, gives, can do and is described by.';
COMMENT ON COLUMN ai_model_capabilities.kind IS 'input, output, feature, endpoint, region, language, tag, dataset, metric, flavor.';

CREATE TABLE ai_model_prices (
    model_id uuid    NOT NULL,
    name     text    NOT NULL,
    amount   numeric NOT NULL,
    CONSTRAINT ai_model_prices_pkey PRIMARY KEY (model_id, name),
    CONSTRAINT ai_model_prices_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE,
    CONSTRAINT ai_model_prices_amount_check CHECK (amount >= 0)
);
COMMENT ON TABLE ai_model_prices IS 'What a model costs, in US dollars unless the list says otherwise.';
COMMENT ON COLUMN ai_model_prices.name IS 'The list''s own name, which tells what for: input_cost_per_token.';

CREATE TABLE ai_evaluations (
    version_id uuid             NOT NULL,
    benchmark  text             NOT NULL,
    metric     text             NOT NULL,
    value      double precision NOT NULL,
    CONSTRAINT ai_evaluations_pkey PRIMARY KEY (version_id, benchmark, metric),
    CONSTRAINT ai_evaluations_version_id_fkey FOREIGN KEY (version_id) REFERENCES ai_model_versions ON DELETE CASCADE
);
COMMENT ON TABLE ai_evaluations IS 'How versions of models did in benchmarks.';
COMMENT ON COLUMN ai_evaluations.metric IS 'What was measured; score where the source only names the benchmark.';
