{{/* Owns every name, label and path that more than one object has to agree on. */}}

{{- define "imagecache-webhook.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "imagecache-webhook.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "imagecache-webhook.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "imagecache-webhook.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What all pods of the release have. */}}
{{- define "imagecache-webhook.releaseLabels" -}}
app.kubernetes.io/name: {{ include "imagecache-webhook.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What those of the webhook have, and those of the controller. */}}
{{- define "imagecache-webhook.selectorLabels" -}}
{{ include "imagecache-webhook.releaseLabels" . }}
app.kubernetes.io/component: webhook
{{- end -}}
{{- define "imagecache-webhook.controllerLabels" -}}
{{ include "imagecache-webhook.releaseLabels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "imagecache-webhook.labels" -}}
{{ include "imagecache-webhook.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "imagecache-webhook.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "imagecache-webhook.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed if serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret of the serving certificate, or of the CA that the webhook keeps. */}}
{{- define "imagecache-webhook.certificateSecret" -}}
{{- if eq .Values.certificates.mode "files" -}}
{{- required "certificates.files.secretName is needed with certificates.mode files: a Secret with tls.crt and tls.key" .Values.certificates.files.secretName -}}
{{- else if eq .Values.certificates.mode "cert-manager" -}}
{{- include "imagecache-webhook.fullname" . }}-tls
{{- else -}}
{{- include "imagecache-webhook.fullname" . }}-ca
{{- end -}}
{{- end -}}

{{- define "imagecache-webhook.dnsNames" -}}
{{- $service := include "imagecache-webhook.fullname" . -}}
- {{ $service }}.{{ .Release.Namespace }}.svc
- {{ $service }}.{{ .Release.Namespace }}.svc.cluster.local
{{- end -}}

{{/* What the chart itself has to say to the webhook, over what `config` says. */}}
{{- define "imagecache-webhook.configuration" -}}
source: kubernetes
healthPort: 8081
tls:
  managed:
    webhookConfiguration: {{ include "imagecache-webhook.fullname" . }}
{{- if eq .Values.certificates.mode "managed" }}
    {{- if .Values.webhook.advice.enabled }}
    adviceConfiguration: {{ include "imagecache-webhook.fullname" . }}
    {{- end }}
    secret: {{ .Release.Namespace }}/{{ include "imagecache-webhook.certificateSecret" . }}
    lifetime: {{ .Values.certificates.lifetime }}
  dnsNames:
    {{- include "imagecache-webhook.dnsNames" . | nindent 4 }}
{{- else }}
  cert: /etc/imagecache-webhook/tls/tls.crt
  key: /etc/imagecache-webhook/tls/tls.key
{{- end }}
{{- with .Values.webhook.clientCertificate }}
{{- if .secretName }}
  clientCa: /etc/imagecache-webhook/client-ca/ca.crt
  clientNames: {{ toJson .names }}
{{- end }}
{{- end }}
{{- $config := deepCopy .Values.config }}
{{- with .Values.networkPolicy.apiServers }}
{{- $config = mergeOverwrite (dict "server" (dict "apiServers" .)) $config }}
{{- end }}
{{- if .Values.controller.enabled }}
{{- $config = mergeOverwrite (dict "createOnMiss" (dict "by" "controller") "controller" (dict "lease" (printf "%s/%s" .Release.Namespace (include "imagecache-webhook.controllerName" .)) "exceptNamespaces" (append .Values.webhook.excludedNamespaces .Release.Namespace | uniq))) $config }}
{{- if eq $config.createOnMiss.by "eci" }}
{{- fail "controller.enabled and config.createOnMiss.by eci contradict each other: who is to make the caches?" }}
{{- end }}
{{- else if ne (dig "createOnMiss" "by" "eci" $config) "eci" }}
{{- fail (printf "config.createOnMiss.by %s needs controller.enabled: nobody would make the caches" $config.createOnMiss.by) }}
{{- end }}
{{- if and (eq (dig "waitForCache" "never" $config) "allow") (not .Values.controller.enabled) }}
{{- fail "config.waitForCache needs controller.enabled: nobody would make the caches" }}
{{- end }}
{{- $live := lookup "v1" "ConfigMap" .Release.Namespace (include "imagecache-webhook.fullname" .) }}
{{- if and (not (include "imagecache-webhook.hasWaits" .)) (contains "waitForCache: allow" (toString $live)) }}
{{- fail "config.waitForCache is allow in the cluster, and pods may wait: upgrade with config.waitForCache=drain first" }}
{{- end }}
{{- if $config.prewarm }}
{{- if not .Values.controller.enabled }}
{{- fail "config.prewarm needs controller.enabled: nobody would make the caches" }}
{{- end }}
{{- $unsent := append .Values.webhook.excludedNamespaces .Release.Namespace }}
{{- $config = merge (dict "prewarmExcept" (concat $unsent ($config.prewarmExcept | default list) | uniq)) $config }}
{{- end }}
{{- with $config }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* With RRSA, the RAM role that a service account takes on to ask ECI's API. */}}
{{- define "imagecache-webhook.roleAnnotations" -}}
{{- with .Values.regionRole }}
pod-identity.alibabacloud.com/role-name: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Whether ECI's API is asked: not empty if so. */}}
{{- define "imagecache-webhook.asksRegion" -}}
{{- if and (kindIs "map" .Values.config.region) .Values.config.region.api }}true{{ end }}
{{- end -}}

{{/* Of the controller, and of its Lease, and of the ConfigMap in which it publishes how long pods live. */}}
{{- define "imagecache-webhook.controllerName" -}}
{{ include "imagecache-webhook.fullname" . }}-controller
{{- end -}}

{{/* Whether pods may wait for their cache, or may wait still: not empty if so. */}}
{{- define "imagecache-webhook.hasWaits" -}}
{{- if has (dig "waitForCache" "never" .Values.config) (list "allow" "drain") }}true{{ end }}
{{- end -}}

{{/* Whether the controller publishes how long pods live: not empty if so. */}}
{{- define "imagecache-webhook.publishesLives" -}}
{{- if eq (dig "createOnMiss" "by" "" .Values.config) "auto" }}true{{ end }}
{{- end -}}

{{- define "imagecache-webhook.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* Where the pods of both may run, and as whom. */}}
{{- define "imagecache-webhook.podSettings" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.priorityClassName }}
priorityClassName: {{ .Values.priorityClassName }}
{{- else if (.Values.priorityClass).create }}
priorityClassName: {{ include "imagecache-webhook.fullname" . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # So that the group may read mounted keys.
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Nothing on the node. */}}
{{- define "imagecache-webhook.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
