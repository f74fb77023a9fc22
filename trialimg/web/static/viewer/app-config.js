// How the viewer is set up here. Served by a route of ours at /viewer/app-config.js: the build's own file,
// which points to a public demo server, is not installed.
window.openedAt = window.location.pathname + window.location.search;
window.config = {
  name: 'trialimg',
  routerBasename: '/viewer',
  showStudyList: false, // studies are opened from the casebook, which knows who may see what
  extensions: [],
  modes: [],
  // The guided tour covers the image on the first visit of every fresh browser.
  customizationService: [{ 'ohif.tours': { $set: [] } }],
  // Our own pages say what this is for; the dialog would cover the lower part of the image.
  investigationalUseDialog: { option: 'never' },
  whiteLabeling: {
    // Our name in the place of the makers', as the way back to the casebook (the viewer has a tab of its own).
    createLogoComponentFn: function (React) {
      return React.createElement('a', { href: '/', className: 'text-foreground px-2 text-lg font-semibold' }, 'trialimg');
    },
  },
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showErrorDetails: 'production',
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  allowMultiSelectExport: false,
  disableConfirmationPrompts: true, // a drawn length goes into the read: "Track measurements?" would ask for nothing
  useSharedArrayBuffer: false, // works without cross-origin isolation
  maxNumberOfWebWorkers: 3,
  // One origin over HTTP/1.1 has six connections: scrolling must not wait behind prefetched slices.
  maxNumRequests: { interaction: 20, thumbnail: 4, prefetch: 8 },
  defaultDataSourceName: 'trialimg',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'trialimg',
      configuration: {
        friendlyName: 'Images of this trial',
        name: 'trialimg',
        wadoUriRoot: '/dicomweb',
        qidoRoot: '/dicomweb',
        wadoRoot: '/dicomweb',
        qidoSupportsIncludeField: false,
        supportsFuzzyMatching: false,
        supportsWildcard: false,
        supportsReject: false,
        dicomUploadEnabled: false,
        staticWado: false,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        thumbnailRequestStrategy: 'fetch',
        enableStudyLazyLoad: true,
        singlepart: 'bulkdata,video,pdf',
        bulkDataURI: { enabled: true, relativeResolution: 'series' },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
  httpErrorHandler: function (error) {
    // The session ended while images were being read: sign in again and come back to this very study, not to
    // the "study not found" page that the viewer has moved on to by the second refusal.
    if (error && error.status === 401 && !window.leavingForSignIn) {
      window.leavingForSignIn = true;
      window.location.assign('/sign-in?next=' + encodeURIComponent(window.openedAt));
    }
  },
};
