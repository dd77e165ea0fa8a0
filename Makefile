# What a newcomer and CI type. Everything runs on the Node that npm installs (package.json, optionalDependencies),
# whatever Node the machine has, because npm puts node_modules/.bin first on the PATH of what it runs.

.PHONY: install build demo run cluster test e2e e2e-version bench fuzz soak audit sbom release clean

INSTALLED := node_modules/.package-lock.json
RUN_FLAGS := --source files:test/examples/cluster --tls-self-signed certs --shutdown-delay 0 --log-level debug

install: $(INSTALLED)

$(INSTALLED): package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

build: install
	@npm run --silent build

demo: build
	@npm run --silent demo

run: build
	@echo "Try it from another terminal:"
	@echo
	@echo "  curl --cacert certs/ca.crt -H 'Content-Type: application/json' \\"
	@echo "       --data @test/examples/admission-review.json https://localhost:8443/mutate"
	@echo "  curl http://localhost:9090/metrics"
	@echo
	@npm run --silent imc -- serve $(RUN_FLAGS)

# A whole cluster to play with, until Ctrl-C. Needs what e2e needs, except helm and root.
cluster: build
	@npm run --silent cluster

test: install
	@npm run --silent typecheck
	@npm run --silent lint
	@npm run --silent test
	@echo "Skipped: test/e2e, which needs a control plane (make e2e)."

# Needs KUBEBUILDER_ASSETS: a folder with the programs of a control plane; and kubectl, kwok, helm and helm3, which may also
# be in the folder "extras" beside it, or on the PATH. One file: make e2e ARGS=lives
e2e: build
	@npm run --silent e2e -- $(ARGS)

# What depends on the version of Kubernetes: docs/compatibility.md says of each file why, or why not.
BY_VERSION := admission advice bind-time chart chart-install chart-upgrade client-certificate controller-lives crd failure \
  lives replicas source versions workloads

e2e-version: build
	@npm run --silent e2e -- $(BY_VERSION:%=/%.test.ts)

# Twenty-five minutes of ratios: make bench ARGS="--json FILE --only serving". docs/performance.md says how to read them.
bench: build
	@npm run --silent bench -- $(ARGS)

# A million mutants of real reviews: make fuzz ARGS="--count N --seed N". The tests send five thousand.
fuzz: install
	@npm run --silent fuzz -- $(ARGS)

# Ten minutes of everything at once, and then 5,000 pods on 2,000 nodes, which takes some three minutes more.
# make soak ARGS="--minutes N". Needs what e2e needs, except helm and root.
soak: build
	@npm run --silent soak -- $(ARGS)
	@npm run --silent scale

# Before a release: known weaknesses of what is shipped. Needs a registry that answers such questions.
audit:
	npm audit --omit=dev

# What is shipped, as CycloneDX: dist/sbom.cdx.json. Taken from an installation of just that, because `npm sbom --omit dev`
# also omits what is shipped and needed for development.
sbom:
	@rm -rf dist/sbom && mkdir -p dist/sbom && cp package.json package-lock.json dist/sbom
	@cd dist/sbom && npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@cd dist/sbom && npm pkg delete devDependencies optionalDependencies --loglevel=error
	@cd dist/sbom && npm sbom --sbom-format cyclonedx --sbom-type application --loglevel=error > ../sbom.cdx.json
	@rm -rf dist/sbom
	@echo dist/sbom.cdx.json

# What a release consists of, as files in dist/release (docs/releases.md). Needs helm, and for the image a Docker engine with
# buildx: make release ARGS=--without-image does without.
release: build
	@npm run --silent release -- $(ARGS)

clean:
	rm -rf dist coverage
