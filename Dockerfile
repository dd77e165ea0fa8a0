# Three stages: what compiles, what is installed to run, and what of both the image is made of. Both installations are
# the lock file's (npm ci). The last stage has Node's binary and no npm, no compiler and no test.
ARG NODE=node:24.21.0-bookworm-slim

FROM ${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# The optional dependencies are a Node for machines that have another; here there is one.
FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM debian:bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8443 9090
# Without a shell before it: the process is the one that SIGTERM comes to, and it listens to it. The young generation is
# the same on every machine: where there is memory to spare, V8 makes it 128 MB large, at some time of its own.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=16", "/app/dist/main.js"]
CMD ["serve"]
