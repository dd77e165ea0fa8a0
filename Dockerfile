# Three stages: what compiles, what is installed to run, and what of both the image is made of. Both installations are
# the lock file's (npm ci), Node's binary among them, so that the image runs the Node that the tests run. The base images
# are named by digest. The last one has glibc, libstdc++ and a user, and no shell and no package manager; what the first
# brings stays behind.
ARG BUILD=node:24-bookworm-slim@sha256:ba849c60be29959425b8734d57b8b4b7d56f98edd9504c9af091d5281095a71e
ARG BASE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

FROM ${BUILD} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# Among the optional dependencies is Node itself, one for each processor, of which npm installs the right one.
FROM ${BUILD} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
RUN mv node_modules/node-linux-*/bin/node node && rm -r node_modules/node-linux-*
# The vendor's SDK is optional too, for `region.api`: 20 packages, which other images do without.
ARG REGION_API=false
RUN if [ "$REGION_API" != true ]; then npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund; fi && rm -rf node_modules/.bin

FROM ${BASE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node /usr/local/bin/node
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8443 8081 9090
# Without a shell before it: the process is the one that SIGTERM comes to, and it listens to it. The young generation is
# the same on every machine: where there is memory to spare, V8 makes it 128 MB large, at some time of its own.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=16", "/app/dist/main.js"]
CMD ["serve"]
