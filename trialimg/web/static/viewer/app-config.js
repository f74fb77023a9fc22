// How the viewer is set up here. Served by a route of ours at /viewer/app-config.js: the build's own file,
// which points to a public demo server, is not installed.
window.openedAt = window.location.pathname + window.location.search;

// A read's own study at the left and an earlier one at the right (`&hangingProtocolId=trialimg.beside`): the viewer's
// own way to compare adds the localizers as soon as both studies have one. Of each study that series is shown which the
// address names (initialSeriesInstanceUID), the first one else.
window.paneOf = function (place) {
  return {
    studyMatchingRules: [{ attribute: 'studyInstanceUIDsIndex', from: 'options', required: true, constraint: { equals: { value: place } } }],
    seriesMatchingRules: [
      { attribute: 'numImageFrames', constraint: { greaterThan: { value: 0 } }, required: true },
      { attribute: 'isDisplaySetFromUrl', weight: 20, constraint: { equals: true } },
    ],
  };
};
window.viewportOf = function (id) {
  return { viewportOptions: { toolGroupId: 'default', allowUnmatchedView: true }, displaySets: [{ id: id }] };
};
window.beside = {
  id: 'trialimg.beside',
  name: 'Earlier time point beside it',
  numberOfPriorsReferenced: 1,
  protocolMatchingRules: [],
  toolGroupIds: ['default'],
  displaySetSelectors: { own: window.paneOf(0), earlier: window.paneOf(1) },
  defaultViewport: {
    viewportOptions: { viewportType: 'stack', toolGroupId: 'default', allowUnmatchedView: true },
    displaySets: [{ id: 'own', matchedDisplaySetsIndex: -1 }],
  },
  stages: [{
    name: 'Side by side',
    viewportStructure: { layoutType: 'grid', properties: { rows: 1, columns: 2 } },
    viewports: [window.viewportOf('own'), window.viewportOf('earlier')],
  }],
};

// The viewer itself waits for ever, on black, where the archive does not answer.
window.sayUnavailable = function () {
  if (document.getElementById('unavailable')) { return; }
  const told = document.createElement('div'), again = document.createElement('a');
  told.id = 'unavailable';
  told.setAttribute('role', 'alert');
  told.style.cssText = 'position:fixed;inset:auto 0 0 0;z-index:1000;padding:0.75rem 1rem;background:#fff3cd;color:#5c4400;font:1rem system-ui,sans-serif';
  told.textContent = 'The images cannot be fetched at the moment. Nothing is lost; try again in a while. ';
  again.href = window.openedAt;
  again.textContent = 'Load it again';
  again.style.cssText = 'color:inherit;font-weight:600;text-decoration:underline';
  told.append(again);
  document.body.append(told);
};

window.config = {
  name: 'trialimg',
  routerBasename: '/viewer',
  showStudyList: false, // studies are opened from the casebook, which knows who may see what
  extensions: [{
    id: 'trialimg',
    getHangingProtocolModule: function () { return [{ name: window.beside.id, protocol: window.beside }]; },
  }],
  modes: [],
  // Beside a form there is no room for the list of studies and the image both: the list opens by its arrow.
  modesConfiguration: {
    '@ohif/mode-longitudinal': {
      routes: { 0: { layoutInstance: { props: { leftPanelClosed: { $set: window.innerWidth < 1000 } } } } },
    },
  },
  // The guided tour covers the image on the first visit of every fresh browser.
  customizationService: [{ 'ohif.tours': { $set: [] } }],
  // Our own pages say what this is for; the dialog would cover the lower part of the image.
  investigationalUseDialog: { option: 'never' },
  whiteLabeling: {
    // Our name in the place of the makers', as the way back to the casebook where the viewer has a tab of its own;
    // beside a form the way back is the page around it.
    createLogoComponentFn: function (React) {
      if (window.self !== window.top) { return React.createElement('span'); }
      return React.createElement('a', { href: '/', className: 'text-foreground px-2 text-lg font-semibold' }, 'trialimg');
    },
  },
  showPatientInfo: window.innerWidth < 1000 ? 'disabled' : 'visible', // in a narrow bar it lies over the tools
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showErrorDetails: 'production',
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  allowMultiSelectExport: false,
  disableConfirmationPrompts: false,
  measurementTrackingMode: 'none', // the read takes each length that is drawn: there is nothing to track, or to ask
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
    if (error && error.status >= 500) { window.sayUnavailable(); }
  },
};
